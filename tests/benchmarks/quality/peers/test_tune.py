import pytest

from benchmarks.quality.peers.base import Params
from benchmarks.quality.peers.tune import best, search

SPACE = {"a": (0, 1, 2, 3), "b": (0, 1, 2, 3)}


def value(params: Params) -> float:
    return -float((params["a"] - 2) ** 2 + (params["b"] - 3) ** 2)


def test_it_begins_with_the_first_values_and_repeats_nothing() -> None:
    done = search(SPACE, value, trials=10, seconds=60, seed=0)
    assert done[0].params == {"a": 0, "b": 0}
    assert len({tuple(trial.params.items()) for trial in done}) == 10


def test_it_finds_the_best_of_a_space_it_can_exhaust_and_then_stops() -> None:
    done = search({"a": (0, 1, 2), "b": (3,)}, value, trials=50, seconds=60, seed=1)
    assert len(done) == 3
    assert best(done).params == {"a": 2, "b": 3}


def test_the_same_seed_tries_the_same() -> None:
    first, second = (search(SPACE, value, trials=8, seconds=60, seed=5) for _ in range(2))
    assert [trial.params for trial in first] == [trial.params for trial in second]


def test_no_trial_begins_when_the_time_is_up_but_one_always_does() -> None:
    assert len(search(SPACE, value, trials=10, seconds=0, seed=0)) == 1


def test_of_equals_the_earlier_wins() -> None:
    done = search(SPACE, lambda _: 0.5, trials=4, seconds=60, seed=0)
    assert best(done).params == {"a": 0, "b": 0}


@pytest.mark.parametrize("seed", range(5))
def test_varying_the_best_gets_near_the_best(seed: int) -> None:
    assert best(search(SPACE, value, trials=12, seconds=60, seed=seed)).ndcg >= -1
