"""Histories before a visit, checked by hand and against serving's own states."""

import numpy as np
import pandas as pd
import pytest
from member_contract import planted_shop, state_rows

from components.common import columns as c
from components.train_deep.histories import NEVER, Entries, borders, positions, states_before
from serving.catalogue import Catalogue
from serving.members.sequence import windows
from serving.states import UserStates


def events(rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Rows (user, visit, item), one visit a day."""
    frame = pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM]).astype("int32")
    at = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(frame[c.VISIT], unit="D")
    frame[c.EVENT], frame[c.TIMESTAMP] = "purchase", at.astype("datetime64[us, UTC]")
    return frame


BOUGHT = events([(0, 0, 5), (0, 0, 3), (0, 1, 4), (0, 2, 5), (0, 2, 6), (0, 3, 7), (1, 0, 1), (1, 1, 1)])
FREE = np.full(2, NEVER, dtype=np.int32)


def test_states_hold_each_item_once_at_its_last_visit() -> None:
    entries = Entries.from_events(BOUGHT, ("purchase",), 2)
    at, _ = positions(entries, True, FREE)
    assert list(zip(at.user.tolist(), at.visit.tolist(), strict=True)) == [(0, 1), (0, 2), (0, 3)]
    assert at.targets.tolist() == [4, 6, 7]  # 5 is not new at visit 2; user 1 meets nothing new
    items, ages = states_before(entries, at, 4)
    assert items.tolist() == [[-1, -1, 3, 5], [-1, 3, 5, 4], [3, 4, 5, 6]]
    assert ages.tolist() == [[-1, -1, 0, 0], [-1, 1, 1, 0], [2, 1, 0, 0]]


def test_targets_may_repeat_where_the_task_says_so() -> None:
    entries = Entries.from_events(BOUGHT, ("purchase",), 2)
    at, _ = positions(entries, False, FREE)
    assert [part.tolist() for part in np.split(at.targets, at.indptr[1:-1])] == [[4], [5, 6], [7], [1]]


def test_only_target_events_are_targets() -> None:
    seen = BOUGHT.assign(event=np.where(BOUGHT[c.ITEM] == 6, "view", "purchase"))
    at, _ = positions(Entries.from_events(seen, ("purchase",), 2), True, FREE)
    assert at.targets[at.tasks == 0].tolist() == [4, 7]


def test_an_item_viewed_first_and_bought_later_is_a_target_when_it_is_met() -> None:
    seen = BOUGHT.assign(event=np.where(BOUGHT[c.VISIT] < 3, "view", "purchase"))
    seen = pd.concat([seen, seen.tail(1).assign(user=0, visit=4, item=6, event="purchase")])
    at, _ = positions(Entries.from_events(seen, ("purchase",), 2), True, FREE)
    assert at.visit.tolist() == [1, 2, 3]
    assert [at.targets[at.tasks == task].tolist() for task in (0, 1)] == [[6, 7], [4, 6]]


def test_all_from_the_border_on_is_held_out() -> None:
    entries = Entries.from_events(BOUGHT, ("purchase",), 2)
    before, held = positions(entries, True, np.array([2, NEVER], dtype=np.int32))
    assert before.targets.tolist() == [4]
    assert (held.visit.tolist(), held.targets.tolist()) == ([2], [6, 7])
    assert entries.before(np.array([2, 1], dtype=np.int32)).item.tolist() == [3, 5, 4, 1]


@pytest.mark.parametrize(("since", "expected"), [(None, [3, 1]), (2, [2, NEVER])])
def test_borders_are_the_last_visit_or_a_moment(since: int | None, expected: list[int]) -> None:
    entries = Entries.from_events(BOUGHT, ("purchase",), 2)
    moment = None if since is None else int(pd.Timestamp(f"2024-01-0{since + 1}", tz="UTC").value // 1000)
    assert borders(entries, BOUGHT, moment, 1.0, 99, seed=0).tolist() == expected


def test_the_last_position_is_the_state_serving_sees() -> None:
    rng = np.random.default_rng(5)
    rows = sorted(
        {(user, visit, int(rng.integers(0, 30))) for user in range(20) for visit in range(40) for _ in range(3)}
    )
    every = events(rows)
    entries = Entries.from_events(every, ("purchase",), 20)
    at, _ = positions(entries, False, np.full(20, NEVER, dtype=np.int32))
    last = at.take(np.flatnonzero(at.visit == 39))
    catalogue = Catalogue(pd.DataFrame({c.ITEM_ID: [f"{row:02d}" for row in range(30)]}))
    known = state_rows(every[every[c.VISIT] < 39], range(20), catalogue)
    states = UserStates.from_rows([""] * 20, known, np.full(20, 2**60), catalogue)
    for length in (3, 17, 50):
        items, ages = states_before(entries, last, length)
        served_items, served_ages = windows(states, length)
        width = served_items.shape[1]
        np.testing.assert_array_equal(items[:, -width:], served_items)
        np.testing.assert_array_equal(ages[:, -width:], served_ages)


def test_no_position_without_history() -> None:
    shop = planted_shop()
    entries = Entries.from_events(shop.events, ("purchase",), len(shop.users))
    at, _ = positions(entries, True, np.full(len(shop.users), NEVER, dtype=np.int32))
    assert at.visit.min() == 1
    assert (states_before(entries, at, 3)[0][:, -1] >= 0).all()
