"""What is known of users at a moment, as one ragged (CSR) batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.moments import DAY
from serving.arrays import PAD, Bools, Floats, Ints, Longs
from serving.catalogue import Catalogue
from serving.sparse import Weighted

NO_PROFILE = "{}"


@dataclass(frozen=True)
class UserStates:
    """Behaviour of n users: for user u the entries indptr[u]:indptr[u+1], one per distinct item, oldest first.

    items: catalogue rows. last_at, first_at: µs since the epoch of the last and first event with the item.
    counts: weighted number of visits with the item. as_of: (n,) µs, the moment of the question.
    profiles: (n,) what the users table says of each as a JSON object; empty where nobody asked for it.
    stale: (n,) was there a row, but one too old to count; None: no user's was. Only the feature store says so.
    """

    user_ids: tuple[str, ...]
    indptr: Longs
    items: Ints
    last_at: Longs
    first_at: Longs
    counts: Floats
    as_of: Longs
    profiles: tuple[str, ...] = ()
    stale: Bools | None = None

    @classmethod
    def from_rows(
        cls,
        user_ids: Sequence[str],
        rows: Sequence[Mapping[str, Any] | None],
        as_of: Longs,
        catalogue: Catalogue,
    ) -> "UserStates":
        """Build from feature rows (item_ids, last_at, first_at, counts, profile); None: nothing is known of the user.

        Items the catalogue does not hold are left out; entries are ordered by (last_at, catalogue row).
        """
        parts = [_entries(row, catalogue) for row in rows]
        indptr = np.concatenate([[0], np.cumsum([len(part[0]) for part in parts])]).astype(np.int64)
        join = [np.concatenate(columns) for columns in zip(*parts, strict=True)] if parts else [np.empty(0)] * 4
        return cls(
            tuple(user_ids),
            indptr,
            join[0].astype(np.int32),
            join[1].astype(np.int64),
            join[2].astype(np.int64),
            join[3].astype(np.float32),
            np.asarray(as_of, dtype=np.int64),
            tuple(NO_PROFILE if row is None else row.get(c.PROFILE) or NO_PROFILE for row in rows),
        )

    @classmethod
    def from_items(cls, anchors: Sequence[Sequence[int]], as_of: int) -> "UserStates":
        """Pretend histories: row i has just met the items *anchors[i]* (for `similar` and `bundle`)."""
        sizes = [len(anchor) for anchor in anchors]
        items = np.array([item for anchor in anchors for item in anchor], dtype=np.int32)
        times = np.full(len(items), as_of, dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(
            ("",) * len(anchors),
            indptr,
            items,
            times,
            times,
            np.ones(len(items), np.float32),
            np.full(len(anchors), as_of, dtype=np.int64),
        )

    @classmethod
    def from_visits(cls, visits: pd.DataFrame, users: Longs, as_of: int | Longs) -> "UserStates":
        """States of *users* (sorted codes) as the feature store would give them, for training.

        Args:
            visits: user, item (row numbers), at (µs), weight; one row per user, item and moment.
            users: (n,) codes; of others nothing is taken, and those without a visit are empty.
            as_of: µs, of all or (n,) of each.
        """
        own = visits[np.isin(visits[c.USER].to_numpy(), users)]
        grouped = own.groupby([c.USER, c.ITEM], sort=True)
        frame = pd.DataFrame(
            {"last": grouped["at"].max(), "first": grouped["at"].min(), "count": grouped["weight"].sum()}
        ).reset_index()
        frame = frame.sort_values([c.USER, "last", c.ITEM], kind="stable")
        sizes = np.bincount(np.searchsorted(users, frame[c.USER].to_numpy()), minlength=len(users))
        return cls(
            ("",) * len(users),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            frame[c.ITEM].to_numpy(dtype=np.int32),
            frame["last"].to_numpy(dtype=np.int64),
            frame["first"].to_numpy(dtype=np.int64),
            frame["count"].to_numpy(dtype=np.float32),
            np.full(len(users), as_of, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def sizes(self) -> Longs:
        """(n,) number of distinct items per user."""
        return np.diff(self.indptr)

    @cached_property
    def row_of(self) -> Longs:
        """(nnz,) the user row of every entry."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @cached_property
    def age(self) -> Ints:
        """(nnz,) visits since the item was last met: 0 for those of the user's latest timestamp, then 1, 2, ..."""
        if not len(self.items):
            return np.empty(0, np.int32)
        new_visit = np.ones(len(self.items), dtype=np.int64)
        new_visit[1:] = (np.diff(self.last_at) != 0) | (np.diff(self.row_of) != 0)
        number = np.cumsum(new_visit)
        last = number[self.indptr[1:][self.sizes > 0] - 1]
        of_row = np.zeros(len(self), dtype=np.int64)
        of_row[self.sizes > 0] = last
        return (of_row[self.row_of] - number).astype(np.int32)

    @cached_property
    def age_days(self) -> Floats:
        """(nnz,) days from the last event with the item to as_of, never negative."""
        age = (self.as_of[self.row_of] - self.last_at) / DAY
        return np.maximum(age, 0).astype(np.float32)

    def weighted(self, weights: Floats) -> Weighted:
        """The histories with *weights* (nnz,) at the entries."""
        return Weighted(self.indptr, self.items, weights)

    def matrix(self, weights: Floats, n_items: int) -> sparse.csr_matrix:
        """(n, n_items) sparse matrix with *weights* (nnz,) at the entries."""
        return sparse.csr_matrix((weights, self.items, self.indptr), shape=(len(self), n_items))

    def take(self, rows: Longs) -> "UserStates":
        """The batch of the users *rows*, in that order."""
        sizes = self.sizes[rows]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        starts = np.repeat(self.indptr[:-1][rows] - indptr[:-1], sizes)
        entries = starts + np.arange(indptr[-1])
        return UserStates(
            tuple(self.user_ids[row] for row in rows),
            indptr,
            self.items[entries],
            self.last_at[entries],
            self.first_at[entries],
            self.counts[entries],
            self.as_of[rows],
            tuple(self.profiles[row] for row in rows) if self.profiles else (),
        )

    def viewing(self, viewed: Sequence[Sequence[int]], weight: float) -> "UserStates":
        """The same users, each having just looked at the catalogue rows *viewed*: one more visit, of *weight*."""
        users = np.repeat(np.arange(len(self)), [len(rows) for rows in viewed])
        if not len(users):
            return self
        now = self.as_of.copy()
        np.maximum.at(now, self.row_of, self.last_at)
        items = np.array([row for rows in viewed for row in rows], dtype=np.int32)
        return self.meeting(users, items, now[users] + 1, np.full(len(users), weight, np.float32))

    def meeting(self, users: Longs, items: Ints, at: Longs, weights: Floats) -> "UserStates":
        """The same users, having met more: row users[i] the catalogue row items[i] at at[i] µs, of weights[i].

        A visit (the same user, item and time) counts once, by its heaviest.
        """
        order = np.lexsort((at, items, users))
        users, items, at, weights = users[order], items[order], at[order], weights[order]
        visit = _starts(users, items, at)
        user, item = (np.concatenate(pair) for pair in ((self.row_of, users[visit]), (self.items, items[visit])))
        last, first = (np.concatenate([known, at[visit]]) for known in (self.last_at, self.first_at))
        heaviest = np.maximum.reduceat(weights, visit) if len(visit) else weights
        counts = np.concatenate([self.counts, heaviest.astype(np.float32)])
        order = np.lexsort((item, user))
        start = _starts(user[order], item[order])
        if not len(start):
            return self
        last, first = np.maximum.reduceat(last[order], start), np.minimum.reduceat(first[order], start)
        counts, user, item = np.add.reduceat(counts[order], start), user[order][start], item[order][start]
        order = np.lexsort((item, last, user))
        sizes = np.bincount(user, minlength=len(self))
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            items=item[order].astype(np.int32),
            last_at=last[order],
            first_at=first[order],
            counts=counts[order],
        )


def _starts(*keys: npt.NDArray[Any]) -> Longs:
    """Where a new combination of sorted *keys* begins."""
    new = np.zeros(len(keys[0]), dtype=bool)
    for key in keys:
        new |= np.diff(key, prepend=-1) != 0
    return np.flatnonzero(new)


def _entries(row: Mapping[str, Any] | None, catalogue: Catalogue) -> tuple[Ints, Longs, Longs, Floats]:
    if row is None or row.get(c.ITEM_IDS) is None or len(row[c.ITEM_IDS]) == 0:
        return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    items = catalogue.index(list(row[c.ITEM_IDS]))
    last, first = (np.asarray(row[name], dtype=np.int64) for name in (c.LAST_AT, c.FIRST_AT))
    counts = np.asarray(row[c.COUNTS], dtype=np.float32)
    order = np.lexsort((items, last))
    order = order[items[order] != PAD]
    return items[order], last[order], first[order], counts[order]
