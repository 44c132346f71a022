"""Chance decides whom a promotion targets, so comparing them with the others finds what it causes."""

import numpy as np
import pandas as pd
from bazaar_shop import Shop

from components.common import columns as c
from components.ingest.bazaar.campaigns import redeem
from components.ingest.bazaar.config import DAY


def effect(shop: Shop, campaign: str) -> tuple[float, float, float]:
    """Purchases of the promoted items in its span per targeted user less per other user, its variance, redemptions."""
    rows = shop.tables["campaigns"].query("campaign_id == @campaign")
    events = shop.tables["events"].query("event == 'purchase'")
    span = events[c.TIMESTAMP].between(rows[c.STARTS_AT].iloc[0], rows[c.ENDS_AT].iloc[0])
    bought = events[span & events[c.ITEM_ID].isin(rows[c.ITEM_ID])]
    counts = bought[c.USER_ID].value_counts().reindex(shop.tables["users"][c.USER_ID]).fillna(0)
    targeted = counts.index.isin(shop.tables["campaign_users"].query("campaign_id == @campaign")[c.USER_ID])
    one, other = counts[targeted], counts[~targeted]
    redeemed = (bought[c.CAMPAIGN_ID] == campaign).sum() / len(one)
    return one.mean() - other.mean(), one.var() / len(one) + other.var() / len(other), redeemed


def test_the_planted_lift_is_found_by_comparison_and_overstated_by_redemptions(shop: Shop) -> None:
    found = np.array([effect(shop, campaign) for campaign in shop.truth["promotions"][c.CAMPAIGN_ID]])
    planted = shop.truth["promotions"]["lift"].to_numpy()
    assert len(planted) == 12
    assert (np.abs(found[:, 0] - planted) < 4 * np.sqrt(found[:, 1])).all()
    error = np.sqrt(found[:, 1].sum()) / len(planted)
    assert abs(found[:, 0].mean() - planted.mean()) < 3 * error
    assert planted.mean() > 10 * error
    assert found[:, 2].mean() > found[:, 0].mean() + 3 * error


def test_targets_are_drawn_without_regard_to_taste(shop: Shop) -> None:
    users = shop.world.users
    for place, rows in shop.bazaar.targets.groupby("place"):
        targeted = np.isin(np.arange(len(users)), rows[c.USER])
        assert 0.27 < targeted.mean() < 0.33, place
        gap = users.types[targeted].mean(axis=0) - users.types[~targeted].mean(axis=0)
        error = users.types.std(axis=0) * np.sqrt(1 / targeted.sum() + 1 / (~targeted).sum())
        assert (np.abs(gap) < 5 * error).all()


def test_redemptions_name_a_running_campaign_of_the_item_and_user_and_cost_less(shop: Shop) -> None:
    events = shop.tables["events"].query("event == 'purchase'").dropna(subset=[c.CAMPAIGN_ID])
    merged = events.merge(shop.tables["campaigns"], on=[c.CAMPAIGN_ID, c.ITEM_ID], how="left")
    merged = merged.merge(shop.tables["campaign_users"].assign(told=True), on=[c.CAMPAIGN_ID, c.USER_ID], how="left")
    price = shop.tables["items"].set_index(c.ITEM_ID)[c.PRICE].loc[merged[c.ITEM_ID]].to_numpy()
    assert len(merged) == len(events) > 500
    assert merged["told"].eq(True).all()
    assert merged[c.TIMESTAMP].between(merged[c.STARTS_AT], merged[c.ENDS_AT]).all()
    assert np.allclose(merged[c.PRICE], price * (1 - merged[c.DISCOUNT]), atol=0.006)


def test_who_would_have_bought_anyway_takes_the_discount_too() -> None:
    kinds = ["purchase", "purchase", "purchase", "view", "purchase"]
    events = pd.DataFrame(
        {c.USER: [1, 2, 1, 1, 1], c.ITEM: [7, 7, 8, 7, 7], c.EVENT: kinds, "time": np.array([8, 8, 8, 8, 30]) * DAY}
    )
    promotions = pd.DataFrame({"place": [0], c.ITEM: [7], c.DISCOUNT: [0.2]})
    targets = pd.DataFrame({"place": [0], c.USER: [1]})
    redeemed = redeem(events, promotions, targets, 10)  # user 2 is not told, 8 not promoted, a view, day 30 too late
    assert redeemed["place"].tolist() == [0, -1, -1, -1, -1]
    assert redeemed["discount"].tolist() == [0.2, 0, 0, 0, 0]


def test_ads_have_bids_and_spans_and_equally_many_run(shop: Shop) -> None:
    ads = shop.tables["campaigns"].query("kind == 'ad'")
    assert ads[c.BID].between(0.05, 0.6).all()
    assert ads.groupby(c.STARTS_AT).size().tolist() == [5] * 13
    assert ads[c.CAMPAIGN_ID].is_unique
    assert not ads[c.CAMPAIGN_ID].isin(shop.tables["campaign_users"][c.CAMPAIGN_ID]).any()
