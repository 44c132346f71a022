"""The last part of the training events, held out to choose a text member's numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.prepared import Cut, Prepared
from components.common.ranking import ndcg_at
from serving.arrays import Floats, Longs, top_k
from serving.states import UserStates

DAY = 86_400_000_000
PRIOR_HALF_LIFE = 28.0  # days
MOST_USERS = 800
TOP = 10


@dataclass(frozen=True)
class Holdout:
    """What is known of some users, and the new items they met next.

    known: training events before the hold-out. states: (n) users. relevant: (pairs,) row of the user times n_items
    plus the item, sorted. counts: (n,) relevant items of each user.
    popularity: (n_items,) users per item in *known*, halved every 28 days where time is a clock.
    """

    known: pd.DataFrame
    states: UserStates
    relevant: Longs
    counts: Longs
    popularity: Floats

    def ndcg(self, scores: Floats) -> float:
        """Mean NDCG@10 of (n, n_items) *scores*, which are overwritten; the users' known items are passed over."""
        scores[self.states.row_of, self.states.items] = -np.inf
        top = top_k(scores, TOP)
        keys = np.arange(len(top), dtype=np.int64)[:, None] * scores.shape[1] + top
        labels = (np.isin(keys, self.relevant) & (top >= 0)).astype(np.float32)
        return float(np.nanmean(ndcg_at(labels, self.counts, TOP)))


def microseconds(events: pd.DataFrame) -> Longs:
    """(n,) timestamps as µs since the epoch."""
    return np.asarray(events[c.TIMESTAMP].astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)


def popularity(events: pd.DataFrame, n_items: int, clock: bool) -> Floats:
    """(n_items,) users who met each item; where *clock*, a meeting counts half as much every 28 days."""
    at = microseconds(events)
    age = np.asarray(at.max(initial=0) - at, dtype=np.float64) / DAY
    weight = np.exp2(-age / PRIOR_HALF_LIFE) if clock else np.ones(len(at))
    frame = pd.DataFrame({c.USER: events[c.USER].to_numpy(), c.ITEM: events[c.ITEM].to_numpy(), "weight": weight})
    latest = frame.groupby([c.USER, c.ITEM])["weight"].max().reset_index()
    users: Floats = np.bincount(latest[c.ITEM], latest["weight"], minlength=n_items).astype(np.float32)
    return users


def states_of(events: pd.DataFrame, users: Longs, shop: ShopConfig, as_of: int) -> UserStates:
    """States of *users* (sorted codes) from *events*, as Feast will give them: counts are weighted visits."""
    own = events[np.isin(events[c.USER].to_numpy(), users)]
    visits = pd.DataFrame(
        {
            c.USER: own[c.USER].to_numpy(),
            c.ITEM: own[c.ITEM].to_numpy(),
            "at": microseconds(own),
            "weight": own[c.EVENT].map(shop.event_weights).fillna(0.0).to_numpy(dtype=np.float32),
        }
    )
    visits = visits.groupby([c.USER, c.ITEM, "at"])["weight"].max().reset_index()
    grouped = visits.groupby([c.USER, c.ITEM])
    frame = grouped.agg(first=("at", "min"), last=("at", "max"), count=("weight", "sum")).reset_index()
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


def divide(prepared: Prepared, cut: Cut) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training events of *cut* as (known, next): the last window, or each user's last event."""
    train = prepared.train(cut)
    if cut.hold_out is not None:
        later = ~train.duplicated(c.USER, keep="last") & train.duplicated(c.USER, keep="first")
        return train[~later], train[later]
    at = microseconds(train)
    span = int(at.max(initial=0) - at.min(initial=0))
    window = min(cut.until - cut.as_of if cut.until and cut.as_of else 28 * DAY, span // 4)
    later = pd.Series(at > at.max(initial=0) - window, index=train.index)
    return train[~later], train[later]


def hold_out(prepared: Prepared, cut: Cut, seed: int, most_users: int = MOST_USERS) -> Holdout | None:
    """The hold-out of *cut*'s training events; None where nobody has both a past and something new."""
    known, later = divide(prepared, cut)
    later = later[later[c.EVENT].isin(prepared.split.target_events)]
    pairs = later[[c.USER, c.ITEM]].drop_duplicates()
    seen = pd.MultiIndex.from_frame(known[[c.USER, c.ITEM]].drop_duplicates())
    pairs = pairs[~pd.MultiIndex.from_frame(pairs).isin(seen) & pairs[c.USER].isin(known[c.USER].unique())]
    users: Longs = np.sort(pairs[c.USER].to_numpy(dtype=np.int64)[~pairs.duplicated(c.USER)])
    if not len(users):
        return None
    if len(users) > most_users:
        users = np.sort(np.random.default_rng(seed).choice(users, most_users, replace=False))
    pairs = pairs[pairs[c.USER].isin(users)]
    rows = np.searchsorted(users, pairs[c.USER]).astype(np.int64)
    relevant: Longs = np.sort(rows * len(prepared.items) + pairs[c.ITEM].to_numpy(dtype=np.int64))
    counts: Longs = np.bincount(rows, minlength=len(users)).astype(np.int64)
    states = states_of(known, users, prepared.shop, int(microseconds(known).max()))
    return Holdout(known, states, relevant, counts, popularity(known, len(prepared.items), has_clock(prepared)))


def has_clock(prepared: Prepared) -> bool:
    """Do timestamps compare between users."""
    return not prepared.shop.ordinal_time
