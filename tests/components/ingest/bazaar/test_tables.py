"""The tables agree with one another and with time."""

import numpy as np
import pandas as pd
from bazaar_shop import Shop

from components.common import columns as c
from components.ingest.bazaar.config import DAYS, START
from components.ingest.bazaar.sessions import make_sessions

FIRST = pd.Timestamp(START)


def test_events_follow_time_within_the_year(shop: Shop) -> None:
    times = shop.tables["events"][c.TIMESTAMP]
    assert (np.diff(times.astype("int64")) < 0).sum() == 1  # the second block of users begins anew
    assert times.min() > FIRST - pd.Timedelta(minutes=1)
    assert times.max() < FIRST + pd.Timedelta(days=DAYS)


def test_users_come_in_blocks_and_every_visit_is_one_user_s(shop: Shop) -> None:
    events = shop.tables["events"].dropna(subset=[c.SESSION_ID])
    assert [len(block) for block in shop.bazaar.config.blocks()] == [2000, 2000]
    assert (events.groupby(c.SESSION_ID)[c.USER_ID].nunique() == 1).all()
    assert (shop.tables["impressions"].groupby("request_id")[c.USER_ID].nunique() == 1).all()
    assert set(events[c.USER_ID]) == set(shop.tables["users"][c.USER_ID])
    one, two = (make_sessions(shop.bazaar.config, shop.world, block).start[:1000] for block in (0, 1))
    assert not (one == two).any()


def test_only_searches_lack_an_item_and_only_they_cost_nothing(shop: Shop) -> None:
    events = shop.tables["events"]
    search = events[c.EVENT] == "search"
    assert (events[c.ITEM_ID].isna() == search).all()
    assert (events[c.QUERY].notna() == search).all()
    assert ((events[c.PRICE] == 0) == search).all()


def test_nobody_meets_an_item_before_it_is_in_the_shop_nor_buys_one_that_is_sold_out(shop: Shop) -> None:
    items = shop.tables["items"].set_index(c.ITEM_ID)
    events = shop.tables["events"].dropna(subset=[c.ITEM_ID])
    minute = pd.Timedelta(minutes=1)
    assert (events[c.TIMESTAMP] + minute >= items[c.CREATED_AT].loc[events[c.ITEM_ID]].to_numpy()).all()
    bought = events.loc[events[c.EVENT] == "purchase", c.ITEM_ID]
    assert items[c.AVAILABLE].loc[bought].all()
    assert not items[c.AVAILABLE].all()


def test_opinions_come_after_the_purchase(shop: Shop) -> None:
    events = shop.tables["events"]
    pair = [c.USER_ID, c.ITEM_ID]
    first = events[events[c.EVENT] == "purchase"].groupby(pair)[c.TIMESTAMP].min()
    opinions = events[events[c.EVENT].isin(["rating", "review", "share"])]
    bought = first.reindex(pd.MultiIndex.from_frame(opinions[pair]))
    assert (opinions[c.TIMESTAMP].to_numpy() > bought.to_numpy()).all()
    assert (events[c.TEXT].notna() == events[c.EVENT].isin(["review", "share"])).all()
    assert opinions.loc[opinions[c.EVENT] != "share", c.VALUE].between(1, 5).all()


def test_clicks_of_the_log_are_events(shop: Shop) -> None:
    log, events = shop.tables["impressions"], shop.tables["events"]
    hit = log[log["outcome"].notna()]
    clicked = events[events[c.EVENT] == "click"]
    pairs = set(zip(clicked[c.USER_ID], clicked[c.ITEM_ID], strict=True))
    assert len(hit) > 1000
    assert all(pair in pairs for pair in zip(hit[c.USER_ID], hit[c.ITEM_ID], strict=True))


def test_titles_are_english_chinese_or_both_and_a_photo_only_item_says_nothing(shop: Shop) -> None:
    items = shop.tables["items"].merge(shop.truth["items"][[c.ITEM_ID, "type", "language", "photo_only"]], on=c.ITEM_ID)
    bare, told = items[items["photo_only"]], items[~items["photo_only"]]
    chinese = told[c.TITLE].str.contains("[\u4e00-\u9fff]")
    english = np.array([kind in title for kind, title in zip(told["type"], told[c.TITLE], strict=True)])
    assert (chinese == told["language"].isin(["zh", "both"])).all()
    assert (english == told["language"].isin(["en", "both"])).all()
    assert len(bare) > 0
    assert bare[[c.DESCRIPTION, c.CATEGORY, c.BRAND, c.ATTRIBUTES]].isna().all(axis=None)
    assert bare[c.TITLE].str.fullmatch(r"New arrival 新品 \d{6}").all()
    late = FIRST + pd.Timedelta(days=DAYS - 56)
    assert (bare[c.CREATED_AT] >= late).all()
