"""Two workers of a local Ray against one process: the past by Feast, and lists for everybody, row for row."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
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


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """A Ray of two workers on this machine."""
    ray = pytest.importorskip("ray", reason="install requirements/dev.txt")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    here = {"_node_ip_address": "127.0.0.1", "include_dashboard": False, "log_to_driver": False}
    ray.init(num_cpus=WORKERS, logging_level="ERROR", object_store_memory=100 << 20, **here)
    yield
    ray.shutdown()


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
    ray: None, store: Path, states: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    recommend_from_store(store, states, tmp_path / "lists", 5, WORKERS)
    assert files(tmp_path / "lists") == alone
    assert len(alone) == pq.ParquetFile(states).num_row_groups + 1


def test_a_worker_killed_midway_loses_nothing(
    ray: None, store: Path, states: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    out, killed = tmp_path / "lists", []

    def kill() -> None:
        while len(list(out.glob("part-*"))) < 20:
            time.sleep(0.005)
        worker = max(scorers(), key=lambda process: process.cpu_times().user)
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


def scorers() -> list[psutil.Process]:
    """The processes of this test's own Ray that answer parts."""
    mine = psutil.Process().children(recursive=True)
    return [process for process in mine if any("MapWorker" in word for word in process.cmdline())]


def test_the_past_by_ray_equals_the_past_by_duckdb(ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
