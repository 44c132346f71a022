"""Events to one row per user: which items, when first and last, how often."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from components.common import columns as c
from components.common.moments import microseconds
from serving.arrays import Bools, Floats, Longs

MOST_ITEMS = 5_000  # of one user, the most recent
MICROSECONDS = pa.timestamp("us", tz="UTC")

BEHAVIOUR = pa.schema(
    [
        (c.USER_ID, pa.string()),
        (c.EVENT_TIMESTAMP, MICROSECONDS),
        (c.ITEM_IDS, pa.list_(pa.string())),
        (c.LAST_AT, pa.list_(pa.int64())),
        (c.FIRST_AT, pa.list_(pa.int64())),
        (c.COUNTS, pa.list_(pa.float32())),
        ("events", pa.int64()),
    ]
)


def behaviour(events: pd.DataFrame, user_ids: pd.Series, item_ids: pd.Series, weights: Mapping[str, float]) -> pa.Table:
    """Summarise *events* per user.

    Args:
        events: user, item (row numbers), event, timestamp; any order.
        user_ids: id by user row number.
        item_ids: id by item row number.
        weights: what one visit with an event of a kind says about interest; kinds not named weigh 1. A visit
            (the same user, item and time) counts once, by its heaviest event.

    Returns:
        Columns of BEHAVIOUR, one row per user with events, sorted by user; event_timestamp is the user's last
        event; entries are ordered by (last_at, item row), at most the MOST_ITEMS latest.
    """
    if not len(events):
        return BEHAVIOUR.empty_table()
    users, items, last, first, counts = _pairs(events, len(item_ids), weights)
    order = np.lexsort((items, last, users))
    order = order[_latest(users[order])]
    users, items, last, first, counts = users[order], items[order], last[order], first[order], counts[order]
    present, sizes = np.unique(users, return_counts=True)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    moments = last[np.cumsum(sizes) - 1]
    columns = [
        pa.array(user_ids.to_numpy()[present], pa.string()),
        pa.array(moments, pa.int64()).cast(MICROSECONDS),
        pa.ListArray.from_arrays(offsets, pa.array(item_ids, pa.string()).take(pa.array(items))),
        pa.ListArray.from_arrays(offsets, pa.array(last)),
        pa.ListArray.from_arrays(offsets, pa.array(first)),
        pa.ListArray.from_arrays(offsets, pa.array(counts)),
        pa.array(np.bincount(events[c.USER])[present], pa.int64()),
    ]
    return pa.Table.from_arrays(columns, schema=BEHAVIOUR)


def _pairs(
    events: pd.DataFrame, n_items: int, weights: Mapping[str, float]
) -> tuple[Longs, Longs, Longs, Longs, Floats]:
    """Distinct (user, item) pairs: users, items, last and first time, weighted visits."""
    kinds, names = pd.factorize(events[c.EVENT])
    weight = np.array([weights.get(str(name), 1.0) for name in names])[kinds]
    pair = events[c.USER].to_numpy(dtype=np.int64) * n_items + events[c.ITEM].to_numpy(dtype=np.int64)
    time = microseconds(events[c.TIMESTAMP])
    order = np.lexsort((time, pair))
    pair, time, weight = pair[order], time[order], weight[order]
    new_pair = np.diff(pair, prepend=-1) != 0
    visit = np.flatnonzero(new_pair | (np.diff(time, prepend=0) != 0))
    heaviest = np.maximum.reduceat(weight, visit)
    start = np.flatnonzero(new_pair)
    counts: Floats = np.add.reduceat(heaviest, np.searchsorted(visit, start)).astype(np.float32)
    last: Longs = time[np.append(start[1:], len(time)) - 1]
    users: Longs = np.asarray(pair[start] // n_items, dtype=np.int64)
    first: Longs = np.asarray(time[start], dtype=np.int64)
    return users, pair[start] - users * n_items, last, first, counts


def _latest(users: Longs) -> Bools:
    """(n,) is the entry among its user's MOST_ITEMS last ones; *users* sorted."""
    ends = np.searchsorted(users, users, side="right")
    return np.asarray(ends - np.arange(len(users)) <= MOST_ITEMS)
