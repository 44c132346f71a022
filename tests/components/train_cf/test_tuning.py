import numpy as np
import pytest
from member_contract import planted_shop

from components.common import columns as c
from components.common.config import Config
from components.common.moments import microseconds
from components.train_cf import tuning
from components.train_cf.histories import clock_of
from components.train_cf.tuning import hold_out, is_gain, search
from serving.arrays import Floats
from serving.members.popularity import Popularity
from serving.queries import Queries


class Numbers(Config):
    a: int = 0
    b: int = 0


def test_search_climbs_field_by_field() -> None:
    def value(n: Numbers) -> Floats:
        return np.full(9, -((n.a - 2) ** 2) - (n.b - 1) ** 2, np.float32)

    best = search(value, Numbers(), {"a": (1, 2, 3), "b": (1, 5)}, trials=50)
    assert best == Numbers(a=2, b=1)


def test_search_keeps_to_its_trials_and_to_the_start_on_ties() -> None:
    asked: list[Numbers] = []

    def same(numbers: Numbers) -> Floats:
        asked.append(numbers)
        return np.zeros(9, np.float32)

    assert search(same, Numbers(), {"a": (1, 2, 3), "b": (4, 5)}, trials=4) == Numbers()
    assert len(asked) == 4
    assert asked[0] == Numbers()


def test_a_gain_within_chance_is_none() -> None:
    # of 100 users two gain 1: mean .02 against a standard error of .014; one loses: .01 against .017
    assert not is_gain(np.array([1] + [0] * 3 + [-1] + [0] * 95, np.float32))
    assert not is_gain(np.array([1, 1, -1] + [0] * 97, np.float32))
    assert is_gain(np.array([1, 1] + [0] * 98, np.float32))


@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
def test_the_hold_out_is_inside_the_training_events(protocol: str) -> None:
    prepared = planted_shop(protocol=protocol)
    cut = prepared.split.fits[0]
    train = prepared.train(cut)
    held = hold_out(prepared, cut, "fast", seed=3)
    assert held.visits["at"].max() < microseconds(train[c.TIMESTAMP]).max()
    trained = set(zip(train[c.USER], train[c.ITEM], strict=True))
    learned = set(zip(held.visits[c.USER], held.visits[c.ITEM], strict=True))
    users = np.unique(held.visits[c.USER].to_numpy())
    rows, items = held.relevant.nonzero()
    assert len(held.states) == len(users) > 0
    assert {(users[row], item) for row, item in zip(rows, items, strict=True)} <= trained - learned


def test_the_leave_one_out_sample_is_bounded_and_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "USERS", {"fast": 10, "full": 20})
    prepared = planted_shop(protocol="leave-one-out")
    one, two, other = (hold_out(prepared, prepared.split.fits[0], "fast", seed) for seed in (1, 1, 2))
    assert len(one.states) == 10
    assert not one.judges
    assert (one.relevant != two.relevant).nnz == 0
    assert (one.relevant != other.relevant).nnz > 0


def test_the_right_answer_scores_one_and_the_seen_do_not_count() -> None:
    prepared = planted_shop()
    held = hold_out(prepared, prepared.split.fits[0], "fast", seed=0)

    class Oracle(Popularity):
        def score_all(self, queries: Queries) -> Floats:
            scores: Floats = held.relevant.toarray() * 2
            scores[queries.states.row_of, queries.states.items] = 9
            return scores

    np.testing.assert_allclose(held.score(Oracle(np.zeros(16, np.float32))), 1.0)
    assert held.score(Popularity(np.zeros(16, np.float32))).mean() < 1.0


def test_clock_of_the_shop() -> None:
    assert clock_of(planted_shop()) == "days"
    assert clock_of(planted_shop(protocol="leave-one-out")) == "visits"
