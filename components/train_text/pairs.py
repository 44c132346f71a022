"""What users met before a visit, and what they met in it: the pairs a projection learns from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c
from serving.arrays import Bools, Ints, Longs

LONGEST_HISTORY = 100
MOST_PAIRS = 20_000


@dataclass(frozen=True)
class Pairs:
    """histories: (n, n_items) weights of what came before, rows sum to 1. targets: (n,) an item met next."""

    histories: sparse.csr_matrix
    targets: Ints


@dataclass(frozen=True)
class NextVisits:
    """histories: (v, n_items) weights of what came before, rows sum to 1. found: (v, n_items) 1 = new in the visit."""

    histories: sparse.csr_matrix
    found: sparse.csr_matrix


def pairs(events: pd.DataFrame, n_items: int, half_life: float, seed: int) -> Pairs:
    """Draw up to MOST_PAIRS first meetings of a user and an item, with the user's decayed history before.

    Args:
        events: user, visit, item.
        n_items: size of the catalogue.
        half_life: visits after which an entry counts half.
        seed: draws the pairs.
    """
    entries = Entries.of(events)
    rows = _drawn(np.flatnonzero(entries.new & (entries.before > entries.begins)), MOST_PAIRS, seed)
    return Pairs(entries.histories(rows, n_items, half_life), entries.item[rows].astype(np.int32))


def next_visits(events: pd.DataFrame, n_items: int, half_life: float, most: int, seed: int) -> NextVisits:
    """Draw up to *most* visits in which a user with a past met something new; else as `pairs`."""
    entries = Entries.of(events)
    wanted = np.flatnonzero(entries.new & (entries.before > entries.begins))
    visits = _drawn(np.unique(entries.before[wanted]), most, seed)
    wanted = wanted[np.isin(entries.before[wanted], visits)]
    at = np.searchsorted(visits, entries.before[wanted])
    ones = np.ones(len(wanted), dtype=np.float32)
    found = sparse.csr_matrix((ones, (at, entries.item[wanted])), shape=(len(visits), n_items))
    return NextVisits(entries.histories(visits, n_items, half_life), found)


@dataclass(frozen=True)
class Entries:
    """Distinct (user, visit, item) in order; all (m,).

    begins, before: the row where the entry's user and its visit begin. new: did the user never meet the item before.
    """

    visit: Longs
    item: Longs
    begins: Longs
    before: Longs
    new: Bools

    @classmethod
    def of(cls, events: pd.DataFrame) -> "Entries":
        """Sort *events* (user, visit, item)."""
        entries = events[[c.USER, c.VISIT, c.ITEM]].drop_duplicates().sort_values([c.USER, c.VISIT, c.ITEM])
        user, visit, item = (entries[name].to_numpy(dtype=np.int64) for name in (c.USER, c.VISIT, c.ITEM))
        new = ~entries.duplicated([c.USER, c.ITEM]).to_numpy()
        return cls(visit, item, np.searchsorted(user, user).astype(np.int64), _visit_begins(user, visit), new)

    def histories(self, rows: Longs, n_items: int, half_life: float) -> sparse.csr_matrix:
        """(n, n_items) the decayed entries before the visits of *rows*, at most LONGEST_HISTORY, summing to 1."""
        before = self.before[rows]
        starts = np.maximum(self.begins[rows], before - LONGEST_HISTORY)
        sizes = before - starts
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        past = np.repeat(starts - indptr[:-1], sizes) + np.arange(indptr[-1])
        weights = np.exp2((self.visit[past] - np.repeat(self.visit[rows], sizes)) / half_life)
        weights /= np.repeat(np.add.reduceat(weights, indptr[:-1]) if len(rows) else weights, sizes)
        return sparse.csr_matrix((weights.astype(np.float32), self.item[past], indptr), shape=(len(rows), n_items))


def _drawn(rows: Longs, most: int, seed: int) -> Longs:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _visit_begins(user: Longs, visit: Longs) -> Longs:
    """(m,) the row where each entry's visit begins."""
    head = np.ones(len(user), dtype=bool)
    head[1:] = (np.diff(user) != 0) | (np.diff(visit) != 0)
    begins: Longs = np.flatnonzero(head)[np.cumsum(head) - 1] if len(user) else np.empty(0, np.int64)
    return begins
