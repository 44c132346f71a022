"""What expectations look at besides a table's own columns: one computed column for every fact across rows or tables."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c

FEW_USERS = 100  # below it one user's share of the events says nothing
FEW_ROWS = 100  # below it a repeated value says nothing
Tables = dict[str, pd.DataFrame]
Facts = dict[str, Any]


def with_evidence(table: str, tables: Tables, now: pd.Timestamp) -> pd.DataFrame:
    """The table with its computed columns; rows and their order are unchanged.

    Args:
        table: which of *tables*.
        tables: canonical tables by name; `items` is among them.
        now: no event may be later.
    """
    facts = _FACTS[table](tables[table], tables, now) if table in _FACTS else {}
    return tables[table].assign(**facts)


def _items(items: pd.DataFrame, tables: Tables, now: pd.Timestamp) -> Facts:
    facts: Facts = {"title_share": _share(items[c.TITLE])}
    if c.PRICE in items:
        positive = items[c.PRICE].where(items[c.PRICE] > 0)
        facts["price_of_median"] = items[c.PRICE] / positive.median()
        facts |= _agreement(items, positive, tables.get("events"))
    if c.CREATED_AT in items:
        facts["not_future"] = _not_after(items[c.CREATED_AT], now)
    if c.ATTRIBUTES in items:
        facts["attributes_are_object"] = [_is_object(cell) for cell in items[c.ATTRIBUTES]]
    return facts


def _agreement(items: pd.DataFrame, price: pd.Series, events: pd.DataFrame | None) -> Facts:
    """Each item's price over the median its events say; null where either is unknown."""
    if events is None or c.PRICE not in events:
        return {}
    seen = events.loc[events[c.PRICE] > 0].groupby(c.ITEM_ID, observed=True)[c.PRICE].median()
    return {"price_agreement": price / items[c.ITEM_ID].map(seen)}


def _events(events: pd.DataFrame, tables: Tables, now: pd.Timestamp) -> Facts:
    search = events[c.EVENT] == "search"
    times = events[c.TIMESTAMP]
    facts: Facts = {
        "item_named": events[c.ITEM_ID].notna() | search,
        "item_known": _known(events[c.ITEM_ID], tables["items"][c.ITEM_ID]),
        "not_future": _not_after(times, now),
        "year": times.dt.year,
        "time_share": _share(times),
        "is_repeat": events.duplicated(),
    }
    facts |= _bursts(events)
    return facts | _campaign_known(events, tables)


def _bursts(events: pd.DataFrame) -> Facts:
    """Each row's user: share of all events (0 where users are few), and how many events in that hour."""
    users, distinct = pd.factorize(events[c.USER_ID])
    share = np.bincount(users + 1, minlength=len(distinct) + 1)[users + 1] / max(len(events), 1)
    hours = pd.factorize(events[c.TIMESTAMP].dt.floor("h"))[0]
    _, slot, counts = np.unique(
        users.astype(np.int64) * (hours.max(initial=0) + 2) + hours, return_inverse=True, return_counts=True
    )
    return {"user_share": share * (len(distinct) >= FEW_USERS), "user_hour": counts[slot]}


def _campaigns(campaigns: pd.DataFrame, tables: Tables, _now: pd.Timestamp) -> Facts:
    late = campaigns[c.ENDS_AT] < campaigns[c.STARTS_AT]
    return {"item_known": _known(campaigns[c.ITEM_ID], tables["items"][c.ITEM_ID]), "in_order": ~late}


def _campaign_users(rows: pd.DataFrame, tables: Tables, _now: pd.Timestamp) -> Facts:
    return _campaign_known(rows, tables)


def _relations(relations: pd.DataFrame, tables: Tables, _now: pd.Timestamp) -> Facts:
    catalogue = tables["items"][c.ITEM_ID]
    return {
        "item_known": _known(relations[c.ITEM_ID], catalogue),
        "related_known": _known(relations[c.RELATED_ID], catalogue),
        "not_itself": relations[c.ITEM_ID] != relations[c.RELATED_ID],
    }


def _judgements(rows: pd.DataFrame, tables: Tables, _now: pd.Timestamp) -> Facts:
    return {"item_known": _known(rows[c.ITEM_ID], tables["items"][c.ITEM_ID])}


def _impressions(rows: pd.DataFrame, tables: Tables, now: pd.Timestamp) -> Facts:
    return _judgements(rows, tables, now) | {"not_future": _not_after(rows[c.TIMESTAMP], now)}


def _campaign_known(rows: pd.DataFrame, tables: Tables) -> Facts:
    """Nothing to check where the shop gives no campaigns, or these rows name none."""
    if c.CAMPAIGN_ID not in rows or "campaigns" not in tables:
        return {}
    return {"campaign_known": _known(rows[c.CAMPAIGN_ID], tables["campaigns"][c.CAMPAIGN_ID])}


def _known(ids: pd.Series, catalogue: pd.Series) -> "pd.Series[bool]":
    """True where the id stands in *catalogue* or is null (nulls are another expectation's business)."""
    return ids.isin(catalogue) | ids.isna()


def _not_after(times: pd.Series, now: pd.Timestamp) -> "pd.Series[bool]":
    return ~(times > now)


def _share(cells: pd.Series) -> npt.NDArray[np.float64]:
    """How much of the column each cell's value fills; 0 where rows are few or the cell is null."""
    codes, distinct = pd.factorize(cells)
    if len(cells) < FEW_ROWS:
        return np.zeros(len(cells))
    share = np.bincount(codes + 1, minlength=len(distinct) + 1) / len(cells)
    share[0] = 0.0
    filled: npt.NDArray[np.float64] = share[codes + 1]
    return filled


def _is_object(cell: str | None) -> bool:
    if cell is None:
        return True
    try:
        return isinstance(json.loads(cell), dict)
    except ValueError:
        return False


_FACTS: dict[str, Callable[[pd.DataFrame, Tables, pd.Timestamp], Facts]] = {
    "items": _items,
    "events": _events,
    "campaigns": _campaigns,
    "campaign_users": _campaign_users,
    "relations": _relations,
    "judgements": _judgements,
    "impressions": _impressions,
}
