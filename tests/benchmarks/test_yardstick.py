import pytest

from benchmarks.yardstick import GOAL_MS, slower, yardstick_ms


def test_a_machine_that_takes_twice_as_long_is_two_times_slower() -> None:
    assert slower(2 * GOAL_MS) == pytest.approx(2.0)


def test_the_yardstick_measures_this_machine() -> None:
    assert 0.05 * GOAL_MS < yardstick_ms(times=3) < 200 * GOAL_MS
