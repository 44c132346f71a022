"""Cuts over five events of two users, worked by hand."""

from pathlib import Path

import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.prepared import Cut, Prepared, Split

# user 0: items 0, 1, 2 at 10, 20, 30 µs; user 1: item 0 viewed at 20, item 1 bought at 40 µs
ROWS = [(0, 0, "purchase", 10, 2), (0, 1, "purchase", 20, 1), (0, 2, "purchase", 30, 0), (1, 0, "view", 20, 4)]
ROWS.append((1, 1, "purchase", 40, 3))
FIT = Cut(name="fit_1", role="fit", members="fit_1", as_of=20, until=30)
TEST = Cut(name="test", role="test", members="final", as_of=30, until=41)
LATE = Cut(name="fit", role="fit", members="all", hold_out=1)
LAST = Cut(name="test", role="test", members="all", hold_out=0)


def shop(*cuts: Cut) -> Prepared:
    events = pd.DataFrame(ROWS, columns=[c.USER, c.ITEM, c.EVENT, "at", c.FROM_END])
    events[c.TIMESTAMP] = pd.to_datetime(events.pop("at"), unit="us", utc=True).astype("datetime64[us, UTC]")
    split = Split(
        protocol="temporal", seed=0, cuts=cuts, repeats=False, target_events=("purchase",), last_event=40
    )  # fmt: skip
    items, users = pd.DataFrame({c.ITEM_ID: list("abc")}), pd.DataFrame({c.USER_ID: ["u", "v"]})
    return Prepared(events, items, users, split, ShopConfig())


def pairs(events: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(events[c.USER].tolist(), events[c.ITEM].tolist(), strict=True))


def test_a_window_begins_with_its_start_and_ends_before_its_end() -> None:
    prepared = shop(FIT, TEST)
    assert pairs(prepared.train(FIT)) == pairs(prepared.history(FIT)) == [(0, 0)]
    assert pairs(prepared.target(FIT)) == [(0, 1)]  # the view of user 1 is no success, 30 belongs to the test
    assert pairs(prepared.train(TEST)) == [(0, 0), (0, 1), (1, 0)]
    assert pairs(prepared.target(TEST)) == [(0, 2), (1, 1)]


def test_leave_one_out_goes_by_each_user_s_own_end_and_short_histories_only_train() -> None:
    prepared = shop(LATE, LAST)
    assert pairs(prepared.train(LATE)) == pairs(prepared.train(LAST)) == [(0, 0), (1, 0), (1, 1)]
    assert (pairs(prepared.target(LATE)), pairs(prepared.target(LAST))) == ([(0, 1)], [(0, 2)])
    assert pairs(prepared.history(LATE)) == [(0, 0), (1, 0), (1, 1)]
    assert pairs(prepared.history(LAST)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("cuts", [(FIT, TEST), (LATE, LAST)])
def test_nothing_of_a_target_is_learned_or_known(cuts: tuple[Cut, ...]) -> None:
    prepared = shop(*cuts)
    for cut in cuts:
        target = set(prepared.target(cut).index)
        assert not target & set(prepared.train(cut).index)
        assert not target & set(prepared.history(cut).index)


def test_without_a_clock_there_are_no_events_in_a_cut() -> None:
    empty = Cut(name="test", role="test", members="final")
    prepared = shop(empty)
    assert len(prepared.train(empty)) == len(prepared.history(empty)) == len(prepared.target(empty)) == 0


def test_one_training_per_name_of_members_the_earliest_first() -> None:
    early = Cut(name="fit_2", role="fit", members="fit_2", as_of=10, until=20)
    assert shop(early, FIT, TEST).split.trainings == (early, FIT, TEST)
    assert shop(LATE, LAST).split.trainings == (LATE,)
    split = shop(early, FIT, TEST).split
    assert (split.fits, split.test) == ((early, FIT), TEST)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    prepared = shop(FIT, TEST)
    prepared.save(tmp_path)
    loaded = Prepared.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.events, prepared.events)
    assert (loaded.split, loaded.shop) == (prepared.split, prepared.shop)
    assert pairs(loaded.target(TEST)) == [(0, 2), (1, 1)]


def test_counts_take_no_event_twice() -> None:
    sizes = {"users": 2, "items": 3, "events": 5}
    assert shop(FIT, TEST).counts() == sizes | {"train": 1, "fit": 1, "test": 2}
    assert shop(LATE, LAST).counts() == sizes | {"train": 3, "fit": 1, "test": 1}
