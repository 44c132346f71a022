"""What each user of the test turned out to want."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.prepared import Cut, Prepared
from serving.arrays import PAD, Bools, Ints, Longs
from serving.queries import DISCOVERY


@dataclass(frozen=True)
class Relevance:
    """Relevant items of n users.

    users: (n,) row numbers of the shop's users. rows, items: (p,) the pairs (position in *users*, catalogue row),
    ascending, without repetition. n_items: size of the catalogue.
    """

    users: Longs
    rows: Longs
    items: Ints
    n_items: int

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def counts(self) -> Longs:
        """(n,) how many items are relevant to each user."""
        return np.bincount(self.rows, minlength=len(self.users))

    @cached_property
    def _keys(self) -> Longs:
        return self.rows * self.n_items + self.items

    def holds(self, items: Ints) -> Bools:
        """(n, m) which of *items* (n, m; -1 is padding) are relevant to the user of their row."""
        if not len(self._keys):
            return np.zeros(items.shape, dtype=bool)
        keys = np.arange(len(items))[:, None] * self.n_items + items
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found: Bools = (self._keys[place] == keys) & (items != PAD)
        return found

    def take(self, chosen: Longs) -> "Relevance":
        """The users in the places *chosen*, in that order."""
        first = np.searchsorted(self.rows, chosen)
        sizes = self.counts[chosen]
        ends = np.cumsum(sizes)
        pairs = np.arange(int(sizes.sum())) + np.repeat(first - (ends - sizes), sizes)
        rows = np.repeat(np.arange(len(chosen)), sizes)
        return Relevance(self.users[chosen], rows, self.items[pairs], self.n_items)

    def among(self, items: Bools) -> "Relevance":
        """The same users with only the relevant items marked in *items* (n_items,)."""
        kept = items[self.items]
        return Relevance(self.users, self.rows[kept], self.items[kept], self.n_items)


def relevant(shop: Prepared, cut: Cut, task: str) -> Relevance:
    """The users of *cut* who came to want at least one item of the catalogue.

    For `discovery` only items that are new to the user count.
    """
    n_items = len(shop.items)
    wanted = _keys(shop.target(cut), n_items)
    if task == DISCOVERY:
        wanted = np.setdiff1d(wanted, _keys(shop.history(cut), n_items), assume_unique=True)
    codes, items = np.divmod(wanted, max(n_items, 1))
    users, rows = np.unique(codes, return_inverse=True)
    return Relevance(users, rows.astype(np.int64), items.astype(np.int32), n_items)


def met(shop: Prepared, cut: Cut) -> Ints:
    """(n_items,) how many users had met each item before the test."""
    pairs = _keys(shop.history(cut), len(shop.items))
    return np.bincount(pairs % max(len(shop.items), 1), minlength=len(shop.items)).astype(np.int32)


def _keys(events: pd.DataFrame, n_items: int) -> Longs:
    """Distinct (user, item) pairs as user · n_items + item, ascending; events without an item are left out."""
    users, items = (events[name].to_numpy(dtype=np.int64) for name in (c.USER, c.ITEM))
    known = items >= 0
    return np.unique(users[known] * n_items + items[known])
