"""Who answers campaigns, on a planted shop: those who took such items before; nothing is learned of what still runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.moments import DAY
from components.common.prepared import Cut, Prepared, Split
from components.fuse.audience import fit_audience, pairs
from serving.campaigns import COLUMNS, NOBODY, Campaigns
from serving.catalogue import Catalogue

START, USERS = 100 * DAY, 400
FIT, TEST = START, START + 28 * DAY


@pytest.fixture
def shop(tmp_path: Path) -> Prepared:
    """Even users have taken item 0 before; in the fit window four in five of them take it again, few others do."""
    random = np.random.default_rng(0)
    users = np.arange(USERS)
    again = random.random(USERS) < np.where(users % 2 == 0, 0.8, 0.1)
    before = pd.DataFrame({c.USER: users, c.ITEM: np.where(users % 2 == 0, 0, 1), "at": FIT - 5 * DAY})
    after = pd.DataFrame({c.USER: users, c.ITEM: np.where(again, 0, 2), "at": FIT + 5 * DAY})
    events = pd.concat([before, after], ignore_index=True).sort_values([c.USER, "at"], ignore_index=True)
    events[c.TIMESTAMP] = pd.to_datetime(events.pop("at"), unit="us", utc=True).astype("datetime64[us, UTC]")
    events[c.EVENT], events[c.VISIT], events[c.FROM_END] = "purchase", 0, 0
    items = pd.DataFrame({c.ITEM_ID: ["i0", "i1", "i2"]})
    people = pd.DataFrame({c.USER_ID: [f"u{n}" for n in users], c.PROFILE: "{}"})
    cuts = (
        Cut(name="fit", role="fit", members="fit", as_of=FIT, until=TEST),
        Cut(name="test", role="test", members="final", as_of=TEST, until=TEST + 28 * DAY),
    )
    split = Split(
        protocol="temporal", seed=0, cuts=cuts, repeats=True, target_events=("purchase",), last_event=TEST + DAY
    )
    first = before.drop_duplicates(c.USER)
    pq.write_table(
        pa.table(
            {
                c.USER_ID: people[c.USER_ID].tolist(),
                c.EVENT_TIMESTAMP: pa.array([FIT] * USERS, pa.timestamp("us", tz="UTC")),
                c.ITEM_IDS: [[f"i{item}"] for item in first[c.ITEM]], c.LAST_AT: [[FIT - 5 * DAY]] * USERS,
                c.FIRST_AT: [[FIT - 5 * DAY]] * USERS,
                c.COUNTS: pa.array([[1.0]] * USERS, pa.list_(pa.float32())), c.PROFILE: ["{}"] * USERS,
            }
        ),
        tmp_path / "fit.parquet",
    )  # fmt: skip
    return Prepared(events, items, people, split, ShopConfig())


def campaigns(ends: int, named: pd.DataFrame = NOBODY) -> Campaigns:
    return Campaigns(pd.DataFrame([("a", 0, FIT, ends, False, np.nan)], columns=list(COLUMNS)), named)


def test_who_took_such_items_before_is_likelier_to_answer(shop: Prepared, tmp_path: Path) -> None:
    named = pd.DataFrame({c.CAMPAIGN_ID: "a", c.USER_ID: shop.users[c.USER_ID]})
    model = fit_audience(shop, Catalogue(shop.items), campaigns(TEST, named), tmp_path)
    assert model is not None
    x, answered = pairs(
        shop, Catalogue(shop.items), shop.split.fits[0], campaigns(TEST, named), tmp_path / "fit.parquet"
    )
    assert (len(x), int(answered.sum())) == (USERS, int(answered[::2].sum() + answered[1::2].sum()))
    standard = (x - np.array(model.means)) / np.array(model.scales)
    said = 1 / (1 + np.exp(-(model.intercept + standard @ np.array(model.weights))))
    assert said[::2].mean() == pytest.approx(answered[::2].mean(), abs=0.05)
    assert said[1::2].mean() == pytest.approx(answered[1::2].mean(), abs=0.05)


def test_only_those_it_names_are_learned_from(shop: Prepared, tmp_path: Path) -> None:
    named = pd.DataFrame({c.CAMPAIGN_ID: "a", c.USER_ID: ["u3", "u4"]})
    x, _ = pairs(shop, Catalogue(shop.items), shop.split.fits[0], campaigns(TEST, named), tmp_path / "fit.parquet")
    assert len(x) == 2
    assert fit_audience(shop, Catalogue(shop.items), campaigns(TEST, named), tmp_path) is None


def test_a_campaign_that_still_runs_in_the_test_teaches_nothing(shop: Prepared, tmp_path: Path) -> None:
    assert fit_audience(shop, Catalogue(shop.items), campaigns(TEST + 1), tmp_path) is None
    assert fit_audience(shop, Catalogue(shop.items), campaigns(TEST), tmp_path / "nowhere") is None
