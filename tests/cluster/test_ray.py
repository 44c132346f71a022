"""Two workers of a local Ray against one process: the past by Feast, and lists for everybody, row for row."""

import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cluster_servers import free_port
from feature_shop import write_journey
from small_release import live_store, run_folder

from components.common import columns as c
from components.materialize import everyone as materialize
from components.materialize.run import STATES_FOLDER
from components.materialize.run import materialize as materialize_features
from components.prepare.run import prepare
from components.recommend.run import SUMMARY_FILE, recommend_from_store

pytestmark = pytest.mark.cluster
WORKERS = 2
HOST = "127.0.0.2"  # Ray takes 127.0.0.1 for a word that means the machine's own address


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[bytes]"]:
    """A Ray of two workers on this machine, at `RAY_ADDRESS`.

    Its ports are given: where Ray chooses them itself it waits 15 seconds for its agents, too short on a busy machine.
    """
    pytest.importorskip("ray", reason="install requirements/dev.txt")
    names = ("port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "runtime-env-agent-port")
    ports = {name: free_port() for name in (*names, "metrics-export-port", "node-manager-port", "object-manager-port")}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--node-ip-address={HOST}", f"--num-cpus={WORKERS}", "--include-dashboard=false"]
    command += [f"--{name}={port}" for name, port in ports.items()]
    address = f"{HOST}:{ports['port']}"
    with (tmp_path_factory.mktemp("ray") / "ray.log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        process = subprocess.Popen([*command, "--object-store-memory=200000000"], stdout=log, stderr=log)
        patch.setenv("RAY_ADDRESS", address)
        try:
            wait_for(address, process)
            yield process
        finally:
            import ray

            ray.shutdown()
            tree = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(60)
            for child in psutil.wait_procs(tree, timeout=10)[1]:
                child.kill()


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    import ray

    for _ in range(20):
        assert process.poll() is None
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
            return
        except (ConnectionError, RuntimeError):
            time.sleep(1)
    raise AssertionError(f"no Ray at {address}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_store(run_folder(tmp_path_factory))


@pytest.fixture(scope="module")
def states(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each known user 20 times, one a part: enough parts to be in the middle of them."""
    folder = tmp_path_factory.mktemp("states")
    materialize.everyone(store, folder / "once.parquet", "release")
    once = pq.read_table(folder / "once.parquet")
    pq.write_table(pa.concat_tables([once] * 20), folder / "states.parquet", row_group_size=1)
    return folder / "states.parquet"


@pytest.fixture(scope="module")
def alone(store: Path, states: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes: bytes by file."""
    out = tmp_path_factory.mktemp("alone") / "lists"
    recommend_from_store(store, states, out, 5, 0)
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_two_workers_write_what_one_process_writes(
    ray: "subprocess.Popen[bytes]", store: Path, states: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    recommend_from_store(store, states, tmp_path / "lists", 5, WORKERS)
    assert files(tmp_path / "lists") == alone
    assert len(alone) == pq.ParquetFile(states).num_row_groups + 1


def test_a_worker_killed_midway_loses_nothing(
    ray: "subprocess.Popen[bytes]", store: Path, states: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    out, killed = tmp_path / "lists", []

    def kill() -> None:
        while len(list(out.glob("part-*"))) < 20:
            time.sleep(0.005)
        worker = max(scorers(ray), key=lambda process: process.cpu_times().user)
        os.kill(worker.pid, signal.SIGKILL)
        killed.append(len(list(out.glob("part-*"))))

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    recommend_from_store(store, states, out, 5, WORKERS)
    killer.join(5)
    assert killed
    assert killed[0] < len(alone) - 1
    assert files(out) == alone
    assert SUMMARY_FILE in alone


def scorers(ray: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The processes of this test's own Ray that answer parts."""
    mine = psutil.Process(ray.pid).children(recursive=True)
    return [process for process in mine if any("MapWorker" in word for word in process.cmdline())]


def test_the_past_by_ray_equals_the_past_by_duckdb(
    ray: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_journey(tmp_path / "tables", households=60)
    prepare(tmp_path / "tables", tmp_path / "prepared", "temporal", "fast", 0)
    users = materialize_features(tmp_path / "prepared", None, tmp_path / "duckdb")
    monkeypatch.setenv("CUVEE_FEATURE_STORE", "cluster-ray")
    assert materialize_features(tmp_path / "prepared", None, tmp_path / "ray") == users
    assert "type: ray" in (tmp_path / "ray" / "feature_store.yaml").read_text()
    assert min(users.values()) > 30
    for cut in users:
        one, other = (pq.read_table(tmp_path / name / STATES_FOLDER / f"{cut}.parquet") for name in ("ray", "duckdb"))
        assert one.equals(other), cut
        assert one[c.ITEM_IDS].null_count == 0
