"""The benchmark of the engine measures what it says, on a made shop."""

import numpy as np
import pytest

from benchmarks.engine import STEPS, measure, requests
from benchmarks.made_shop import AS_OF, MadeUsers, made_engine, made_users
from serving.engine import Engine
from serving.instances import parse

ITEMS, USERS = 3_000, 24


@pytest.fixture(scope="module")
def engine() -> Engine:
    return made_engine(ITEMS)


@pytest.fixture(scope="module")
def port() -> MadeUsers:
    return made_users(ITEMS, USERS)


def test_a_made_shop_is_the_same_every_time(engine: Engine, port: MadeUsers) -> None:
    asked = [parse({"scenario": "recommend", "user_id": "3", "explain": True})]
    first, again = (
        one.answer(asked, made_users(ITEMS, USERS), AS_OF)[0]["items"] for one in (engine, made_engine(ITEMS))
    )
    assert first == again
    assert len(first) == 10
    assert set(first[0]["why"]) <= {*engine.members, "context"}


def test_every_scenario_of_the_shop_is_asked(engine: Engine, port: MadeUsers) -> None:
    asked = requests(engine, port.users.user_ids)
    assert set(asked) == {"recommend", "recommend new", "recommend stranger", "similar", "bundle"}
    assert all(instance.user_id for instance in asked["recommend"])


def test_figures_are_told_for_every_step(engine: Engine, port: MadeUsers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.engine.REPETITIONS", 1)
    monkeypatch.setattr("benchmarks.engine.REQUESTS", 8)
    found = measure(engine, port.users.user_ids, port)
    assert tuple(found["steps"]) == STEPS
    assert all(values["p50_ms"] <= values["p99_ms"] for values in found["scenarios"].values())
    assert found["batch"]["users_a_second"] > 0
    assert np.isfinite(found["batch"]["furthest"])
