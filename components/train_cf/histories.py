"""Training events as the user states that serving sees: what is learned is weighted as it will be asked."""

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.prepared import Cut, Prepared
from serving.arrays import Longs
from serving.members.history import Clock
from serving.states import UserStates

DAY = 86_400_000_000
WINDOW_DAYS = 28.0  # where neither the cut nor the shop says


def microseconds(events: pd.DataFrame) -> Longs:
    """(n,) timestamps of *events* as µs since the epoch."""
    return np.asarray(events[c.TIMESTAMP].astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)


def clock_of(prepared: Prepared) -> Clock:
    """Days where timestamps are times and cuts are too; else the user's own visits."""
    return "visits" if prepared.shop.ordinal_time or prepared.split.protocol == "leave-one-out" else "days"


def now_of(prepared: Prepared, cut: Cut) -> int:
    """The moment the members of *cut* are trained for, in µs."""
    return prepared.split.last_event if cut.as_of is None else cut.as_of


def window_of(prepared: Prepared, cut: Cut) -> int:
    """Length of what a cut asks for, in µs."""
    if cut.as_of is not None and cut.until is not None:
        return cut.until - cut.as_of
    return int((prepared.shop.window_days or WINDOW_DAYS) * DAY)


def visit_items(events: pd.DataFrame, shop: ShopConfig) -> pd.DataFrame:
    """One row per user, visit and item: user, visit, item, at (µs), weight (the strongest event of the visit).

    Sorted by user, visit, item.
    """
    frame = pd.DataFrame(
        {
            c.USER: events[c.USER].to_numpy(),
            c.VISIT: events[c.VISIT].to_numpy(),
            c.ITEM: events[c.ITEM].to_numpy(),
            "at": microseconds(events),
            "weight": events[c.EVENT].map(shop.event_weights).fillna(0.0).to_numpy(dtype=np.float32),
        }
    )
    frame = frame.sort_values([c.USER, c.VISIT, c.ITEM, "weight"], kind="stable")
    return frame.drop_duplicates([c.USER, c.VISIT, c.ITEM], keep="last").reset_index(drop=True)


def states_of(visits: pd.DataFrame, users: Longs, as_of: int | Longs) -> UserStates:
    """States of *users* (sorted codes) from the rows of `visit_items`; entries as UserStates orders them."""
    own = visits[np.isin(visits[c.USER].to_numpy(), users)]
    grouped = own.groupby([c.USER, c.ITEM], sort=True)
    frame = pd.DataFrame(
        {"last": grouped["at"].max(), "first": grouped["at"].min(), "count": grouped["weight"].sum()}
    ).reset_index()
    frame = frame.sort_values([c.USER, "last", c.ITEM], kind="stable")
    sizes = np.bincount(np.searchsorted(users, frame[c.USER].to_numpy()), minlength=len(users))
    return UserStates(
        user_ids=("",) * len(users),
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        items=frame[c.ITEM].to_numpy(dtype=np.int32),
        last_at=frame["last"].to_numpy(dtype=np.int64),
        first_at=frame["first"].to_numpy(dtype=np.int64),
        counts=frame["count"].to_numpy(dtype=np.float32),
        as_of=np.full(len(users), as_of, dtype=np.int64),
    )


def training_states(prepared: Prepared, cut: Cut) -> UserStates:
    """States of every user, by code, from what the members of *cut* may learn from."""
    visits = visit_items(prepared.train(cut), prepared.shop)
    return states_of(visits, np.arange(len(prepared.users)), now_of(prepared, cut))
