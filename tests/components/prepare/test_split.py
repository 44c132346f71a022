import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common import columns as c
from components.common.config import Effort
from components.common.errors import InputError
from components.common.moments import DAY
from components.common.prepared import Cut
from components.prepare import split


def days(*values: float) -> npt.NDArray[np.int64]:
    return (np.array(values) * DAY).astype(np.int64)


@pytest.mark.parametrize(
    ("span", "given_days", "expected"), [(13 * 40, None, 28), (13 * 7, None, 7), (13 * 7, 3.5, 3.5)]
)
def test_a_window_is_28_days_or_a_thirteenth_of_the_span_unless_told(
    span: float, given_days: float | None, expected: float
) -> None:
    assert split.window_length(0, int(span * DAY) - 1, given_days) == int(expected * DAY)


def test_the_test_window_ends_with_the_last_event_and_fit_windows_come_before_it() -> None:
    times = days(*range(101))
    cuts = split.temporal_cuts(times, np.ones(101, bool), "full", 10)
    end = 100 * DAY + 1
    assert cuts == (
        Cut(name="fit_3", role="fit", members="fit_3", as_of=end - 40 * DAY, until=end - 30 * DAY),
        Cut(name="fit_2", role="fit", members="fit_2", as_of=end - 30 * DAY, until=end - 20 * DAY),
        Cut(name="fit_1", role="fit", members="fit_1", as_of=end - 20 * DAY, until=end - 10 * DAY),
        Cut(name="test", role="test", members="final", as_of=end - 10 * DAY, until=end),
    )
    assert [cut.name for cut in split.temporal_cuts(times, np.ones(101, bool), "fast", 10)] == [
        "fit_2",
        "fit_1",
        "test",
    ]


@pytest.mark.parametrize("effort", ["fast", "full"])
def test_a_span_too_short_says_so(effort: Effort) -> None:
    with pytest.raises(InputError, match=r"events span 20\.00 days.*leave nothing to learn from.*leave-one-out"):
        split.temporal_cuts(days(0, 20), np.ones(2, bool), effort, 10.5)
    with pytest.raises(InputError, match=r"span 0\.00 days"):
        split.temporal_cuts(days(5, 5), np.ones(2, bool), effort, None)


def test_a_window_without_a_success_says_which() -> None:
    times = days(*range(101))
    with pytest.raises(InputError, match=r"window 'fit_1'.*holds no target event"):
        split.temporal_cuts(times, times != 85 * DAY, "fast", 0.5)


def test_leave_one_out_needs_a_user_with_three_events() -> None:
    assert [cut.hold_out for cut in split.leave_one_out_cuts(split.from_end(np.array([0, 0, 0])))] == [1, 0]
    with pytest.raises(InputError, match="no user has 3 events"):
        split.leave_one_out_cuts(split.from_end(np.array([0, 0, 1, 1])))


def test_place_from_the_end_and_users_who_only_train() -> None:
    assert split.from_end(np.array([0, 0, 0, 1, 1, 3])).tolist() == [2, 1, 0, 4, 3, 3]
    assert split.from_end(np.array([], dtype=np.int32)).tolist() == []


def test_visits_count_distinct_times_from_each_users_oldest() -> None:
    users, times = np.array([0, 0, 0, 1, 1, 2]), np.array([5, 5, 9, 9, 10, 10])
    assert split.visits(users, times).tolist() == [0, 0, 1, 0, 1, 0]


def test_ties_move_by_microseconds_only_where_they_must() -> None:
    moved, count = split.spread_ties(np.array([0, 0, 0, 0, 1]), np.array([7, 7, 7, 8, 7]))
    assert (moved.tolist(), count) == ([7, 8, 9, 10, 7], 3)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=40))
def test_spread_times_strictly_increase_per_user_and_are_the_earliest_possible(pairs: list[tuple[int, int]]) -> None:
    users, times = (np.array(column) for column in zip(*sorted(pairs), strict=True))
    moved, count = split.spread_ties(users, times)
    expected: dict[int, int] = {}
    for user, time, new in zip(users, times, moved, strict=True):
        assert new == max(time, expected.get(user, -1) + 1)
        expected[user] = int(new)
    assert count == int((moved != times).sum())


def test_repeats_are_pairs_met_at_two_times() -> None:
    events = pd.DataFrame({c.USER: [0, 0, 0, 0, 1], c.ITEM: [1, 1, 2, 2, 1], c.TIMESTAMP: [5, 6, 7, 7, 5]})
    assert split.repeat_share(events) == pytest.approx(1 / 3)
    assert split.repeat_share(events.iloc[:0]) == 0.0


def test_an_item_is_popular_enough_by_distinct_users() -> None:
    users, items = np.array([0, 0, 1, 2], np.int32), np.array([0, 0, 0, 1], np.int32)
    assert split.popular_enough(users, items, 3, 2).tolist() == [True, False, False]
