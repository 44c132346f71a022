"""Codes become the shop's tables: ids, times in UTC, the columns of the contract."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.common.tables import canonical
from components.ingest.bazaar.campaigns import lifted, make_ads, make_promotions, make_targets, redeem
from components.ingest.bazaar.catalogue import described
from components.ingest.bazaar.choices import Shelves
from components.ingest.bazaar.config import DAY, DAYS, START, BazaarConfig
from components.ingest.bazaar.impressions import PLACE_OF_AD, REQUEST, clicks, make_impressions
from components.ingest.bazaar.opinions import opinions
from components.ingest.bazaar.relations import make_relations
from components.ingest.bazaar.search import judged, make_searches
from components.ingest.bazaar.sessions import SESSION, Sessions, event_rows, make_sessions, visits
from components.ingest.bazaar.words import CITIES
from components.ingest.bazaar.world import LANGUAGES, Items, Users, World, make_world

Codes = npt.NDArray[Any]
PROMOTION, AD = "promotion", "ad"


@dataclass(frozen=True)
class Bazaar:
    """The shop: its canonical tables, and the truth behind them in codes (row numbers of items and users)."""

    tables: dict[str, pd.DataFrame]
    world: World
    promotions: pd.DataFrame
    targets: pd.DataFrame
    ads: pd.DataFrame
    queries: pd.DataFrame


def make_bazaar(config: BazaarConfig) -> Bazaar:
    """Draw a whole shop without its media; the same *config* gives the same tables to the last bit."""
    world = make_world(config)
    shelves, sessions = Shelves(world.items), make_sessions(config, world)
    catalogue = described(world.items)
    promotions, ads = make_promotions(config, world.items), make_ads(config, world.items)
    targets = make_targets(config, world, promotions)
    searches = make_searches(config, world, sessions)
    shown = make_impressions(config, world, shelves, sessions, ads)
    parts = [
        visits(config, world, shelves, sessions),
        lifted(config, world, promotions, targets),
        clicks(config, shown),
    ]
    events = pd.concat([*parts, _search_events(sessions, searches)], ignore_index=True)
    events = redeem(events, promotions, targets, len(world.items))
    bought = events[events[c.EVENT] == "purchase"]
    events = pd.concat([events, opinions(config, world, bought, catalogue[c.TITLE].to_numpy())], ignore_index=True)
    queries, judgements = judged(config, world.items, searches)
    tables = {
        "items": _items(catalogue, world.items),
        "events": _events(events, world.items),
        "users": _users(world.users),
        "campaigns": _campaigns(promotions, ads),
        "campaign_users": pd.DataFrame(
            {c.CAMPAIGN_ID: promotion_ids(targets["place"]), c.USER_ID: user_ids(targets[c.USER])}
        ),
        "relations": _relations(make_relations(world.items)),
        "judgements": judgements.assign(**{c.ITEM_ID: item_ids(judgements[c.ITEM])}),
        "impressions": _impressions(shown, searches),
    }
    checked = {name: canonical(name, frame) for name, frame in tables.items()}
    return Bazaar(checked, world, promotions, targets, ads, queries)


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


def _ids(form: str, codes: "Codes | pd.Series") -> Codes:
    numbers = np.asarray(codes, dtype=np.int64)
    names = [form.format(number) for number in range(int(numbers.max(initial=-1)) + 1)]
    return np.array([*names, None], dtype=object)[numbers]


def _moments(microseconds: Codes) -> "pd.Series[pd.Timestamp]":
    """µs from the shop's first moment as times in UTC."""
    first = pd.Timestamp(START).value // 1000
    return pd.Series(pd.to_datetime(first + np.asarray(microseconds, dtype=np.int64), unit="us", utc=True)).astype(
        "datetime64[us, UTC]"
    )


def _search_events(sessions: Sessions, searches: pd.DataFrame) -> pd.DataFrame:
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


def _events(events: pd.DataFrame, items: Items) -> pd.DataFrame:
    """The events of the shop's year in the order of time."""
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
            c.SESSION_ID: _ids("s{:08}", kept[SESSION]),
            c.TEXT: _filled(kept[c.TEXT]),
        }
    )


def _filled(cells: "pd.Series[Any]") -> Codes:
    """Text cells with None where there is nothing."""
    values = cells.to_numpy(dtype=object, copy=True)
    values[cells.isna().to_numpy()] = None
    return values


def _items(catalogue: pd.DataFrame, items: Items) -> pd.DataFrame:
    table = catalogue.assign(**{c.PRICE: items.price, c.AVAILABLE: items.available})
    table[c.CREATED_AT] = _moments((items.created.astype(np.float64) * DAY).astype(np.int64))
    return table


def _users(users: Users) -> pd.DataFrame:
    """Profiles as a shop would know them: they hint at the taste and do not say it."""
    return pd.DataFrame(
        {
            c.USER_ID: user_ids(np.arange(len(users))),
            "age": users.age.astype(np.int64),
            "city": np.array(CITIES, dtype=object)[users.city],
            "language": np.array(LANGUAGES, dtype=object)[users.language],
        }
    )


def _campaigns(promotions: pd.DataFrame, ads: pd.DataFrame) -> pd.DataFrame:
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


def _relations(relations: pd.DataFrame) -> pd.DataFrame:
    pairs = {c.ITEM_ID: item_ids(relations[c.ITEM]), c.RELATED_ID: item_ids(relations["related"])}
    return pd.DataFrame(pairs | {c.KIND: relations[c.KIND]})


def _impressions(shown: pd.DataFrame, searches: pd.DataFrame) -> pd.DataFrame:
    """The log: what the contract names, then the policy's score, the query and the ad."""
    queries = searches.set_index(SESSION)[c.QUERY].reindex(shown[SESSION])
    asked = _filled(queries.where((shown["scenario"] == "search").to_numpy()))
    return pd.DataFrame(
        {
            "request_id": _ids("r{:08}", shown[REQUEST]),
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
