"""Codes become the shop's tables: ids, times in UTC, the columns of the contract."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.config import DAY, DAYS, START
from components.ingest.bazaar.impressions import PLACE_OF_AD, REQUEST
from components.ingest.bazaar.sessions import SESSION, Sessions, event_rows
from components.ingest.bazaar.words import CITIES
from components.ingest.bazaar.world import LANGUAGES, Items, Users

Codes = npt.NDArray[Any]
PROMOTION, AD = "promotion", "ad"


def item_ids(codes: "Codes | pd.Series") -> Codes:
    """Ids of items by row number; None for -1."""
    return _ids("i{:06}", codes)


def user_ids(codes: "Codes | pd.Series") -> Codes:
    """Ids of users by row number."""
    return _ids("u{:07}", codes)


def promotion_ids(codes: "Codes | pd.Series") -> Codes:
    """Campaign ids of promotions by place; None for -1."""
    return _ids("promotion-{:02}", codes)


def ad_ids(codes: "Codes | pd.Series") -> Codes:
    """Campaign ids of ads by number; None for -1."""
    return _ids("ad-{:05}", codes)


def _ids(form: str, codes: "Codes | pd.Series", first: int = 0) -> Codes:
    """Each code plus *first*, spelt; None for -1."""
    numbers = np.asarray(codes, dtype=np.int64)
    distinct, places = np.unique(numbers, return_inverse=True)
    names = [None if number < 0 else form.format(number + first) for number in distinct.tolist()]
    return np.array(names, dtype=object)[places]


def _moments(microseconds: Codes) -> "pd.Series[pd.Timestamp]":
    """µs from the shop's first moment as times in UTC."""
    first = pd.Timestamp(START).value // 1000
    return pd.Series(pd.to_datetime(first + np.asarray(microseconds, dtype=np.int64), unit="us", utc=True)).astype(
        "datetime64[us, UTC]"
    )


def search_events(sessions: Sessions, searches: pd.DataFrame) -> pd.DataFrame:
    """The searches as events in codes: user, item (-1), session, event, time, query."""
    rows = searches[SESSION].to_numpy()
    asked = pd.DataFrame(
        {
            c.USER: sessions.user[rows],
            c.ITEM: -1,
            SESSION: rows,
            "time": sessions.start[rows],
            c.QUERY: searches[c.QUERY],
        }
    )
    return event_rows("search", asked, 0.0).assign(**{c.QUERY: searches[c.QUERY].to_numpy()})


def event_table(events: pd.DataFrame, items: Items, first: int) -> pd.DataFrame:
    """The events of the shop's year in the order of time; visits are numbered from *first*."""
    kept = events[events["time"] < DAYS * DAY]
    kept = kept.sort_values(["time", c.USER, c.EVENT, c.ITEM], kind="stable", ignore_index=True)
    item = kept[c.ITEM].to_numpy()
    paid = items.price[item] * (1 - kept["discount"].fillna(0).to_numpy())
    campaign = promotion_ids(kept["place"].fillna(-1))
    advertised = ad_ids(kept[PLACE_OF_AD].fillna(-1))
    return pd.DataFrame(
        {
            c.USER_ID: user_ids(kept[c.USER]),
            c.ITEM_ID: item_ids(item),
            c.EVENT: kept[c.EVENT],
            c.TIMESTAMP: _moments(kept["time"].to_numpy()),
            c.VALUE: kept[c.VALUE],
            c.PRICE: np.where(item < 0, 0.0, np.round(paid, 2)),  # the contract wants a price in every row
            c.QUERY: _filled(kept[c.QUERY]),
            c.CAMPAIGN_ID: np.where(pd.isna(campaign), advertised, campaign),
            c.SESSION_ID: _ids("s{:08}", kept[SESSION], first),
            c.TEXT: _filled(kept[c.TEXT]),
        }
    )


def _filled(cells: "pd.Series[Any]") -> Codes:
    """Text cells with None where there is nothing."""
    values = cells.to_numpy(dtype=object, copy=True)
    values[cells.isna().to_numpy()] = None
    return values


def item_table(catalogue: pd.DataFrame, items: Items) -> pd.DataFrame:
    """The catalogue with prices, availability and the day each item came."""
    table = catalogue.assign(**{c.PRICE: items.price, c.AVAILABLE: items.available})
    table[c.CREATED_AT] = _moments((items.created.astype(np.float64) * DAY).astype(np.int64))
    return table


def user_table(users: Users) -> pd.DataFrame:
    """Profiles as a shop would know them: they hint at the taste and do not say it."""
    return pd.DataFrame(
        {
            c.USER_ID: user_ids(np.arange(len(users))),
            "age": users.age.astype(np.int64),
            "city": np.array(CITIES, dtype=object)[users.city],
            "language": np.array(LANGUAGES, dtype=object)[users.language],
        }
    )


def campaign_table(promotions: pd.DataFrame, ads: pd.DataFrame) -> pd.DataFrame:
    """Promotions with their discounts, then ads with their bids."""
    both = pd.concat([promotions, ads], ignore_index=True)
    starts, ends = (both[name].to_numpy(dtype=np.int64) * DAY for name in ("starts", "ends"))
    return pd.DataFrame(
        {
            c.CAMPAIGN_ID: [*promotion_ids(promotions["place"]), *ad_ids(ads[PLACE_OF_AD])],
            c.ITEM_ID: item_ids(both[c.ITEM]),
            c.STARTS_AT: _moments(starts),
            c.ENDS_AT: _moments(ends),
            c.KIND: [PROMOTION] * len(promotions) + [AD] * len(ads),
            c.DISCOUNT: both[c.DISCOUNT],
            c.BID: both[c.BID],
        }
    )


def relation_table(relations: pd.DataFrame) -> pd.DataFrame:
    """The relations, ids spelt."""
    pairs = {c.ITEM_ID: item_ids(relations[c.ITEM]), c.RELATED_ID: item_ids(relations["related"])}
    return pd.DataFrame(pairs | {c.KIND: relations[c.KIND]})


def impression_table(shown: pd.DataFrame, searches: pd.DataFrame, first: int) -> pd.DataFrame:
    """The log, numbered from *first*: what the contract names, then the policy's score, the query and the ad."""
    queries = searches.set_index(SESSION)[c.QUERY].reindex(shown[SESSION])
    asked = _filled(queries.where((shown["scenario"] == "search").to_numpy()))
    return pd.DataFrame(
        {
            "request_id": _ids("r{:08}", shown[REQUEST], first),
            c.TIMESTAMP: _moments(shown["time"].to_numpy()),
            c.USER_ID: user_ids(shown[c.USER]),
            "scenario": shown["scenario"],
            c.ITEM_ID: item_ids(shown[c.ITEM]),
            "position": shown["position"],
            "propensity": shown["propensity"],
            "outcome": shown["outcome"],
            "score": shown["score"],
            c.QUERY: asked,
            c.CAMPAIGN_ID: ad_ids(shown[PLACE_OF_AD]),
        }
    )
