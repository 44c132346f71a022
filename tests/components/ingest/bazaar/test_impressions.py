"""The log can be trusted: its propensities are those of the policy, and its position bias is the planted one."""

import numpy as np
import pandas as pd
import pytest
from bazaar_shop import Shop

from components.common import columns as c
from components.ingest.bazaar.impressions import EXAMINED, SHOWN, policy_propensity

CANDIDATES = 20


def lists_of(shop: Shop) -> pd.DataFrame:
    return shop.tables["impressions"].query("scenario != 'ads'")


def clicked(rows: pd.DataFrame) -> "pd.Series[float]":
    return rows["outcome"].notna().astype(float)


def test_by_hand() -> None:
    rank, position = np.array([0, 3, 12], np.int32), np.array([0, 1, 5], np.int32)
    propensity = policy_propensity(rank, position, np.array([20, 20, 20], np.int32))
    assert propensity.tolist() == pytest.approx([0.6 + 0.02, 0.02, 0.02])


def test_the_propensities_of_all_items_at_a_position_sum_to_one() -> None:
    rank = np.arange(CANDIDATES, dtype=np.int32)
    for position in range(SHOWN):
        chances = policy_propensity(
            rank, np.full(CANDIDATES, position, np.int32), np.full(CANDIDATES, CANDIDATES, np.int32)
        )
        assert chances.sum() == pytest.approx(1)


def test_the_policy_shows_what_it_says(shop: Shop) -> None:
    rows = lists_of(shop)
    best = rows["propensity"] > 0.5
    shuffled = 0.4 * (1 - 1 / CANDIDATES)
    assert (~best).groupby(rows["position"]).mean().to_numpy() == pytest.approx(shuffled, abs=0.02)
    inverse = (1 / rows["propensity"]).groupby(rows["position"]).mean()  # the number of candidates, on average
    assert inverse.to_numpy() == pytest.approx(CANDIDATES, rel=0.05)


def test_lists_are_whole_and_name_each_item_once(shop: Shop) -> None:
    rows = lists_of(shop)
    by_request = rows.groupby("request_id")["position"]
    assert (by_request.max() == SHOWN).mean() > 0.99
    assert (by_request.size() == by_request.max()).all()
    assert not rows.duplicated(["request_id", c.ITEM_ID]).any()


def test_clicks_fall_with_the_position_and_propensities_give_back_how_far(shop: Shop) -> None:
    rows = lists_of(shop)
    seen = clicked(rows).groupby(rows["position"]).mean().to_numpy()
    weighted = (clicked(rows) / rows["propensity"]).groupby(rows["position"]).mean().to_numpy()
    assert (np.diff(seen) < 0).sum() >= 8
    assert weighted / weighted.sum() == pytest.approx(EXAMINED / EXAMINED.sum(), abs=0.02)
    assert weighted[0] / weighted[-1] == pytest.approx(EXAMINED[0] / EXAMINED[-1], rel=0.2)
    assert seen[0] / seen[-1] > 1.3 * EXAMINED[0] / EXAMINED[-1]  # the policy puts the liked first, which adds to it


def test_liked_items_are_clicked_more(shop: Shop) -> None:
    rows = lists_of(shop)
    users, items = (rows[name].str[1:].astype(int).to_numpy() for name in (c.USER_ID, c.ITEM_ID))
    match = shop.world.affinity(users, items)
    clicks = clicked(rows).to_numpy()
    assert clicks[match > np.quantile(match, 0.8)].mean() > 3 * clicks[match < np.quantile(match, 0.2)].mean()


def test_an_ad_runs_when_it_is_shown_and_each_running_one_is_as_likely(shop: Shop) -> None:
    rows = shop.tables["impressions"].query("scenario == 'ads'")
    ads = shop.tables["campaigns"].set_index(c.CAMPAIGN_ID).loc[rows[c.CAMPAIGN_ID]]
    second = pd.Timedelta(seconds=2)
    assert (rows[c.ITEM_ID].to_numpy() == ads[c.ITEM_ID].to_numpy()).all()
    assert (rows[c.TIMESTAMP].to_numpy() + second >= ads[c.STARTS_AT].to_numpy()).all()
    assert (rows[c.TIMESTAMP].to_numpy() <= ads[c.ENDS_AT].to_numpy()).all()
    assert (rows["propensity"] == 0.2).all()
