"""Two workers of a local Ray against one process: lists for everybody, and the past by Feast, row for row."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from feature_shop import at, write_journey
from small_release import live_store, run_folder

from components.common import columns as c
from components.common.errors import CuveeError
from components.common.local_ray import connected
from components.common.prepared import Prepared
from components.materialize import everyone as materialize
from components.materialize import ray_past
from components.materialize.repo import apply
from components.materialize.run import STATES_FOLDER
from components.materialize.run import materialize as materialize_features
from components.materialize.states import historical, questions
from components.prepare.run import prepare
from components.recommend.part import Wanted
from components.recommend.run import recommend_from_store
from components.recommend.spread import spread
from serving.current import current_release

pytestmark = pytest.mark.cluster
WORKERS = 2
AT_LEAST, PATIENCE_S = 8, 300.0


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of two workers on this machine, which all tests use."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: install requirements/dev.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_worker_niceness", "0")  # else 15: beside other work its workers would hardly get on
        patch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
        importlib.import_module("ray")  # as others may have done before
        ray = connected(WORKERS)
        yield ray
        ray.shutdown()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_store(run_folder(tmp_path_factory))


@pytest.fixture(scope="module")
def states(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each of 48 users four times, two a part: enough parts to be in the middle of them."""
    folder = tmp_path_factory.mktemp("states")
    materialize.everyone(store, folder / "once.parquet", "release")
    once = pq.read_table(folder / "once.parquet")
    pq.write_table(pa.concat_tables([once] * 4), folder / "states.parquet", row_group_size=2)
    return folder / "states.parquet"


@pytest.fixture(scope="module")
def alone(store: Path, states: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes: bytes by file."""
    out = tmp_path_factory.mktemp("alone") / "lists"
    recommend_from_store(store, states, out, 5)
    return files(out)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of 40 households, prepared."""
    folder = tmp_path_factory.mktemp("journey")
    write_journey(folder / "tables", households=40)
    prepare(folder / "tables", folder / "prepared", "temporal", "fast", 0)
    return folder / "prepared"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def processes() -> list[psutil.Process]:
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def test_nothing_of_it_listens_beyond_this_machine(ray: Any) -> None:
    listening = [one for process in processes() for one in process.connections("inet")]
    places = {one.laddr.ip.removeprefix("::ffff:") for one in listening if one.status == psutil.CONN_LISTEN}
    assert places == {"127.0.0.1"}


def test_two_workers_write_what_one_process_writes(
    ray: Any, store: Path, states: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(scorers_at_work, tmp_path / "lists")
        recommend_from_store(store, states, tmp_path / "lists", 5, WORKERS)
    assert len(seen.result()) == WORKERS
    assert files(tmp_path / "lists") == alone
    assert len(alone) == pq.ParquetFile(states).num_row_groups + 1


def test_a_worker_killed_midway_loses_nothing(
    ray: Any, store: Path, states: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "lists"

    def kill() -> int:
        worker = max(scorers_at_work(out), key=lambda process: process.cpu_times().user)
        os.kill(worker.pid, signal.SIGKILL)
        return written(out)

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        recommend_from_store(store, states, out, 5, WORKERS)
    assert AT_LEAST <= killed.result() < len(alone) - 1
    assert files(out) == alone


def scorers_at_work(out: Path) -> list[psutil.Process]:
    """The processes of Ray that answer parts, once some parts are written to *out*."""
    end = time.monotonic() + PATIENCE_S
    while written(out) < AT_LEAST and time.monotonic() < end:
        time.sleep(0.002)
    return [process for process in processes() if "MapWorker" in " ".join(process.cmdline())]


def written(out: Path) -> int:
    return len(list(out.glob("part-*")))


def test_a_part_that_nobody_can_answer_is_told_in_one_line(ray: Any, store: Path, states: Path, tmp_path: Path) -> None:
    release = current_release(store)
    assert release is not None
    wanted = Wanted(release, tmp_path / "nowhere.parquet", tmp_path, 5, 0)
    with pytest.raises(CuveeError, match=r"^recommend: a worker of Ray gave up: .*nowhere\.parquet.*$"):
        spread(wanted, 1, 1)


def test_the_command_on_a_ray_that_is_there_writes_the_same_lists(
    ray: Any, store: Path, states: Path, tmp_path: Path
) -> None:
    address = {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    command = [sys.executable, "-m", "pipelines.cli", "batch-recommend", "--store", str(store), "-k", "5"]
    command += ["--out", str(tmp_path / "there"), "--workers", str(WORKERS)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env={**os.environ, **address}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recommend_from_store(store, states.parent / "once.parquet", tmp_path / "here", 5)
    assert files(tmp_path / "there" / "recommendations") == files(tmp_path / "here")


def test_the_past_by_ray_equals_the_past_by_duckdb(
    ray: Any, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = materialize_features(shop, None, tmp_path / "duckdb")
    monkeypatch.setenv("CUVEE_FEATURE_STORE", "cluster-ray")
    assert materialize_features(shop, None, tmp_path / "ray") == users
    assert "ray_past" in (tmp_path / "ray" / "feature_store.yaml").read_text()
    assert min(users.values()) > 20
    lengths: set[int] = set()
    for cut in users:
        one, other = (pq.read_table(tmp_path / name / STATES_FOLDER / f"{cut}.parquet") for name in ("ray", "duckdb"))
        assert one.equals(other), cut
        lengths |= set(pc.list_value_length(one[c.ITEM_IDS]).to_pylist())
    assert 1 in lengths


def test_a_worker_killed_in_its_share_of_the_past_loses_nothing(
    ray: Any, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Prepared.load(shop)
    asked = questions(prepared, prepared.split.test)
    materialize_features(shop, None, tmp_path / "store")
    expected = historical(apply(tmp_path / "store"), asked, before=True)
    monkeypatch.setenv("CUVEE_FEATURE_STORE", "cluster-ray")
    mark, share, sigkill = tmp_path / "died", ray_past.share_of_the_past, int(signal.SIGKILL)

    def dies_once(*arguments: Any) -> pa.Table:
        answer = share(*arguments)
        if not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), sigkill)
        return answer

    monkeypatch.setattr(ray_past, "share_of_the_past", dies_once)
    assert historical(apply(tmp_path / "store", scratch=True), asked, before=True).equals(expected)
    assert int(mark.read_text()) != os.getpid()


def test_why_feasts_own_store_on_ray_is_not_used(ray: Any) -> None:
    """Where this fails Feast has mended it, and docs/decisions/0021 can be taken back."""
    from feast.infra.offline_stores.contrib.ray_offline_store.ray import RayDataProcessor, RayResourceManager

    when, known, join = c.EVENT_TIMESTAMP, [at(1), at(1)], RayDataProcessor(RayResourceManager())
    asked = pd.DataFrame({c.USER_ID: ["a", "b"], when: [at(2), at(2)]})
    features = pd.DataFrame({c.USER_ID: ["a", "b"], when: known, c.ITEM_IDS: [np.array(["x"]), np.array(["x", "y"])]})
    found = join._manual_point_in_time_join(asked, features, [c.USER_ID], [c.USER_ID], when, [c.ITEM_IDS])
    assert [np.ndim(items) for items in found[c.ITEM_IDS]] == [0, 1]  # expected: two lists
    both = pd.concat([asked.assign(_data_source="entity"), features.assign(_data_source="feature")])
    hour = both[when].dt.floor("1h")
    late = join._apply_windowed_point_in_time_logic(both.assign(time_window=hour), when, [c.USER_ID], [c.ITEM_IDS])
    assert late[c.ITEM_IDS].isna().all()  # a day old; expected: known
