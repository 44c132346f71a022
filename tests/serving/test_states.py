import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common import columns as c
from serving.arrays import Longs
from serving.catalogue import Catalogue
from serving.states import UserStates

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(pd.DataFrame({c.ITEM_ID: ["p", "q", "r", "s"]}))


def row(**lists: list[object]) -> dict[str, list[object]]:
    return {c.ITEM_IDS: lists["items"], c.LAST_AT: lists["last"], c.FIRST_AT: lists["first"], c.COUNTS: lists["counts"]}


def three_users(catalogue: Catalogue) -> UserStates:
    rows = [
        row(items=["r", "p", "gone", "q"], last=[9, 5, 6, 5], first=[1, 2, 3, 4], counts=[1.0, 2.0, 3.0, 4.0]),
        None,
        row(items=["s"], last=[7], first=[7], counts=[0.5]),
    ]
    return UserStates.from_rows(["a", "b", "c"], rows, np.array([10, 10, 10]), catalogue)


def test_entries_are_ordered_by_time_then_row_and_unknown_items_left_out(catalogue: Catalogue) -> None:
    states = three_users(catalogue)
    assert len(states) == 3
    assert states.sizes.tolist() == [3, 0, 1]
    assert states.items.tolist() == [0, 1, 2, 3]
    assert states.last_at.tolist() == [5, 5, 9, 7]
    assert states.first_at.tolist() == [2, 4, 1, 7]
    assert states.counts.tolist() == [2, 4, 1, 0.5]
    assert states.row_of.tolist() == [0, 0, 0, 2]


def test_age_counts_visits_back_from_each_users_latest(catalogue: Catalogue) -> None:
    assert three_users(catalogue).age.tolist() == [1, 1, 0, 0]


def test_users_who_met_items_at_the_same_moment_do_not_share_a_visit(catalogue: Catalogue) -> None:
    rows = [row(items=["p"], last=[5], first=[5], counts=[1.0])] * 2
    assert UserStates.from_rows(["a", "b"], rows, np.array([5, 5]), catalogue).age.tolist() == [0, 0]


def test_age_in_days_is_never_negative(catalogue: Catalogue) -> None:
    rows = [row(items=["p", "q"], last=[0, 5 * DAY], first=[0, 0], counts=[1.0, 1.0])]
    states = UserStates.from_rows(["a"], rows, np.array([3 * DAY]), catalogue)
    assert states.age_days.tolist() == [3.0, 0.0]


@pytest.mark.parametrize("rows", [[], [None], [row(items=[], last=[], first=[], counts=[])], [{}]])
def test_no_users_or_nothing_known_is_an_empty_batch(rows: list[object], catalogue: Catalogue) -> None:
    states = UserStates.from_rows(["u"] * len(rows), rows, np.zeros(len(rows), np.int64), catalogue)  # type: ignore[arg-type]
    assert len(states) == len(rows)
    assert states.sizes.tolist() == [0] * len(rows)
    assert [str(column.dtype) for column in (states.items, states.last_at, states.counts)] == [
        "int32",
        "int64",
        "float32",
    ]
    assert (len(states.age), len(states.age_days), len(states.row_of)) == (0, 0, 0)
    assert states.matrix(states.counts, 4).shape == (len(rows), 4)
    assert len(states.take(np.array([], dtype=np.int64))) == 0


def test_the_matrix_holds_the_weights_at_the_entries(catalogue: Catalogue) -> None:
    states = three_users(catalogue)
    np.testing.assert_array_equal(
        states.matrix(states.counts, 4).toarray(), [[2, 4, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0.5]]
    )


def test_pretend_histories_hold_their_anchors() -> None:
    states = UserStates.from_items([[2, 0], [], [1]], as_of=50)
    assert states.sizes.tolist() == [2, 0, 1]
    assert states.items.tolist() == [2, 0, 1]
    assert (states.age.tolist(), states.age_days.tolist(), states.as_of.tolist()) == ([0] * 3, [0.0] * 3, [50] * 3)
    assert len(UserStates.from_items([], as_of=50)) == 0


@given(st.lists(st.integers(0, 2), max_size=6))
def test_taking_rows_gives_each_users_own_entries_in_that_order(rows: list[int]) -> None:
    states = three_users(Catalogue(pd.DataFrame({c.ITEM_ID: ["p", "q", "r", "s"]})))
    taken = states.take(np.array(rows, dtype=np.int64))
    assert taken.user_ids == tuple("abc"[row] for row in rows)
    for place, source in enumerate(rows):
        assert _entries(taken, place) == _entries(states, source)
    assert taken.age.tolist() == [age for source in rows for age in states.age[_span(states, source)].tolist()]


def _span(states: UserStates, row: int) -> Longs:
    return np.arange(states.indptr[row], states.indptr[row + 1])


def _entries(states: UserStates, row: int) -> list[list[float]]:
    span = _span(states, row)
    return [column[span].tolist() for column in (states.items, states.last_at, states.first_at, states.counts)]


def test_what_was_just_viewed_is_the_last_visit() -> None:
    """User 0 knows 5 (at 10) and 2 (at 20) and looks at 5 and 9 now; user 1 is a stranger who looks at 2."""
    rows = [{c.ITEM_IDS: ["i5", "i2"], c.LAST_AT: [10, 20], c.FIRST_AT: [3, 20], c.COUNTS: [2.0, 1.0]}, None]
    catalogue = Catalogue(pd.DataFrame({c.ITEM_ID: [f"i{row}" for row in range(10)]}))
    states = UserStates.from_rows(["a", "b"], rows, np.array([100, 100]), catalogue).viewing([[9, 5, 9], [2]], 0.25)
    assert states.indptr.tolist() == [0, 3, 4]
    assert states.items.tolist() == [2, 5, 9, 2]
    assert states.last_at.tolist() == [20, 101, 101, 101]
    assert states.first_at.tolist() == [20, 3, 101, 101]
    assert states.counts.tolist() == [1.0, 2.25, 0.25, 0.25]
    assert states.age.tolist() == [1, 0, 0, 0]
    assert states.profiles == ("{}", "{}")


def test_who_viewed_nothing_is_unchanged() -> None:
    states = UserStates.from_items([[1], []], 7)
    assert states.viewing([[], []], 1.0) is states


def test_profiles_go_with_their_users() -> None:
    catalogue = Catalogue(pd.DataFrame({c.ITEM_ID: ["i0"]}))
    rows = [{c.PROFILE: '{"age": "35-44"}'}, None]
    states = UserStates.from_rows(["a", "b"], rows, np.array([1, 1]), catalogue)
    assert states.profiles == ('{"age": "35-44"}', "{}")
    assert states.take(np.array([1, 0])).profiles == ("{}", '{"age": "35-44"}')
    assert not len(states.items)
