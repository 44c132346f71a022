"""What campaigns teach: first purchases of their items, by those they were for, of campaigns that are over."""

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.moments import DAY
from components.common.prepared import Cut, Prepared, Split
from components.fuse.offers import held_by_nothing, offer_sets, taken_new
from serving.blend import FEATURES, Blend, TaskFusion
from serving.campaigns import COLUMNS, NOBODY, Campaigns

FIT, TEST = 100 * DAY, 128 * DAY
CUT = Cut(name="fit", role="fit", members="fit", as_of=FIT, until=TEST)


@pytest.fixture
def shop() -> Prepared:
    """u0 has met i0 and takes i0 and i1 in the window; u1 takes i1 early and i2 late in it."""
    rows = [(0, 0, FIT - DAY), (0, 0, FIT + DAY), (0, 1, FIT + DAY), (1, 1, FIT + DAY), (1, 2, FIT + 20 * DAY)]
    events = pd.DataFrame(rows, columns=[c.USER, c.ITEM, "at"])
    events[c.TIMESTAMP] = pd.to_datetime(events.pop("at"), unit="us", utc=True).astype("datetime64[us, UTC]")
    events[c.EVENT], events[c.VISIT], events[c.FROM_END] = "purchase", 0, 0
    test = Cut(name="test", role="test", members="final", as_of=TEST, until=TEST + 28 * DAY)
    split = Split(
        protocol="temporal", seed=0, cuts=(CUT, test), repeats=True, target_events=("purchase",), last_event=TEST
    )
    users = pd.DataFrame({c.USER_ID: ["u0", "u1"], c.PROFILE: "{}"})
    return Prepared(events, pd.DataFrame({c.ITEM_ID: ["i0", "i1", "i2"]}), users, split, ShopConfig())


def campaigns(ends: int = FIT + 10 * DAY, named: pd.DataFrame = NOBODY) -> Campaigns:
    """One campaign of all three items, from the window's start."""
    rows = [("a", row, FIT, ends, False, np.nan) for row in range(3)]
    return Campaigns(pd.DataFrame(rows, columns=list(COLUMNS)), named)


def found(shop: Prepared, of: Campaigns) -> list[list[object]]:
    rows: list[list[object]] = taken_new(shop, CUT, of).sort_values([c.USER, c.ITEM]).to_numpy().tolist()
    return rows


def test_only_what_was_new_and_taken_while_it_ran_counts(shop: Prepared) -> None:
    assert found(shop, campaigns()) == [[0, "a", 1], [1, "a", 1]]
    assert found(shop, campaigns(TEST)) == [[0, "a", 1], [1, "a", 1], [1, "a", 2]]


def test_only_those_it_was_for_count(shop: Prepared) -> None:
    named = pd.DataFrame({c.CAMPAIGN_ID: ["a"], c.USER_ID: ["u1"]})
    assert found(shop, campaigns(named=named)) == [[1, "a", 1]]


def test_what_still_runs_in_the_test_teaches_nothing(shop: Prepared) -> None:
    assert found(shop, campaigns(TEST + 1)) == []


def test_nothing_is_held_back_in_a_campaign() -> None:
    blend = Blend(kind="m", members=("popularity",), weights=((0.0,) * len(FEATURES),), reach=2.0)
    assert held_by_nothing(TaskFusion(chosen="m", methods={"m": blend})).methods["m"].reach == 0


def test_without_states_there_is_nothing_to_learn(shop: Prepared, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert offer_sets({"fit": None}, shop, campaigns(), tmp_path_factory.mktemp("none"), 0) == []  # type: ignore[dict-item]
