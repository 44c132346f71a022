import numpy as np
import pytest

from serving.members.interest import interest_weights
from serving.states import UserStates

DAY = 86_400_000_000


def states(counts: list[float], days: list[int]) -> UserStates:
    at = np.array(days, dtype=np.int64) * DAY
    size = len(days)
    return UserStates(
        ("u", "nobody"),
        np.array([0, size, size], dtype=np.int64),
        np.arange(size, dtype=np.int32),
        at,
        at,
        np.array(counts, dtype=np.float32),
        np.full(2, 100 * DAY, dtype=np.int64),
    )


def test_weights_halve_every_half_life_of_visits_not_days() -> None:
    """Three visits, ages 2, 1, 0: weights 1, 2, 4 of 7, however many days lie between."""
    found = interest_weights(states([1, 1, 1], [1, 2, 90]), half_life=1.0, count_power=0.5)
    np.testing.assert_allclose(found, np.array([1, 2, 4]) / 7, rtol=1e-6)


def test_counts_are_damped_by_the_power() -> None:
    found = interest_weights(states([4, 1], [5, 5]), half_life=3.0, count_power=0.5)
    assert found[0] / found[1] == pytest.approx(2)


def test_items_met_without_weight_give_no_nan() -> None:
    assert interest_weights(states([0, 0], [1, 2]), half_life=1.0, count_power=0.5).tolist() == [0, 0]
