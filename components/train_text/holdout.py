"""The last part of the training events, held out to choose a text member's numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import DAY, microseconds
from components.common.prepared import Cut, Prepared, visit_items
from components.common.ranking import ndcg_at
from serving.arrays import Floats, Longs, top_k
from serving.states import UserStates

PRIOR_HALF_LIFE = 28.0  # days
MOST_USERS = 800
TOP = 10


@dataclass(frozen=True)
class Holdout:
    """What is known of some users, and the new items they met next.

    known: training events before the hold-out. users: (n,) codes, sorted. states: of these users.
    relevant: (pairs,) row of the user times n_items plus the item, sorted. counts: (n,) relevant items of each user.
    popularity: (n_items,) users per item in *known*, halved every 28 days where time is a clock.
    """

    known: pd.DataFrame
    users: Longs
    states: UserStates
    relevant: Longs
    counts: Longs
    popularity: Floats

    def ndcg(self, scores: Floats) -> float:
        """Mean NDCG@10 of (n, n_items) *scores*, which are overwritten; the users' known items are passed over."""
        return float(np.nanmean(self.values(scores)))

    def values(self, scores: Floats) -> Floats:
        """(n,) NDCG@10 of every user; see `ndcg`."""
        scores[self.states.row_of, self.states.items] = -np.inf
        top = top_k(scores, TOP)
        keys = np.arange(len(top), dtype=np.int64)[:, None] * scores.shape[1] + top
        labels = (np.isin(keys, self.relevant) & (top >= 0)).astype(np.float32)
        return ndcg_at(labels, self.counts, TOP).astype(np.float32)


def is_gain(differences: Floats) -> bool:
    """Is the mean of paired differences above 0 by more than one standard error: the best of many may be luck."""
    error = float(differences.std()) / max(len(differences), 1) ** 0.5
    return bool(float(differences.mean()) > error)


def popularity(events: pd.DataFrame, n_items: int, clock: bool) -> Floats:
    """(n_items,) users who met each item; where *clock*, a meeting counts half as much every 28 days."""
    latest = meetings(events, clock)
    users: Floats = np.bincount(latest[c.ITEM], latest["weight"], minlength=n_items).astype(np.float32)
    return users


def meetings(events: pd.DataFrame, clock: bool) -> pd.DataFrame:
    """user, item, weight: one row per user and item; where *clock*, the weight halves every 28 days."""
    at = microseconds(events[c.TIMESTAMP])
    age = np.asarray(at.max(initial=0) - at, dtype=np.float64) / DAY
    weight = np.exp2(-age / PRIOR_HALF_LIFE) if clock else np.ones(len(at))
    frame = pd.DataFrame({c.USER: events[c.USER].to_numpy(), c.ITEM: events[c.ITEM].to_numpy(), "weight": weight})
    latest: pd.DataFrame = frame.groupby([c.USER, c.ITEM])["weight"].max().reset_index()
    return latest


def divide(prepared: Prepared, cut: Cut) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training events of *cut* as (known, next): the last window, or each user's last event."""
    train = prepared.train(cut)
    if cut.hold_out is not None:
        later = ~train.duplicated(c.USER, keep="last") & train.duplicated(c.USER, keep="first")
        return train[~later], train[later]
    at = microseconds(train[c.TIMESTAMP])
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
    visits = visit_items(known, prepared.shop)
    states = UserStates.from_visits(visits, users, int(visits["at"].max()))
    return Holdout(known, users, states, relevant, counts, popularity(known, len(prepared.items), has_clock(prepared)))


def has_clock(prepared: Prepared) -> bool:
    """Do timestamps compare between users."""
    return not prepared.shop.ordinal_time
