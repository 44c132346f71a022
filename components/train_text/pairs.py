"""What users met before a visit, and what they met in it: the pairs a projection learns from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c
from serving.arrays import Ints, Longs

LONGEST_HISTORY = 100
MOST_PAIRS = 20_000


@dataclass(frozen=True)
class Pairs:
    """histories: (n, n_items) weights of what came before, rows sum to 1. targets: (n,) an item met next."""

    histories: sparse.csr_matrix
    targets: Ints


def pairs(events: pd.DataFrame, n_items: int, half_life: float, seed: int) -> Pairs:
    """Draw up to MOST_PAIRS first meetings of a user and an item, with the user's decayed history before.

    Args:
        events: user, visit, item.
        n_items: size of the catalogue.
        half_life: visits after which an entry counts half.
        seed: draws the pairs.
    """
    entries = events[[c.USER, c.VISIT, c.ITEM]].drop_duplicates().sort_values([c.USER, c.VISIT, c.ITEM])
    user, visit, item = (entries[name].to_numpy(dtype=np.int64) for name in (c.USER, c.VISIT, c.ITEM))
    begins = np.searchsorted(user, user)
    before = _visit_begins(user, visit)
    new = ~entries.duplicated([c.USER, c.ITEM]).to_numpy()
    rows = np.flatnonzero(new & (before > begins))
    if len(rows) > MOST_PAIRS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_PAIRS, replace=False))
    starts = np.maximum(begins[rows], before[rows] - LONGEST_HISTORY)
    sizes = before[rows] - starts
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    past = np.repeat(starts - indptr[:-1], sizes) + np.arange(indptr[-1])
    weights = np.exp2((visit[past] - np.repeat(visit[rows], sizes)) / half_life)
    weights /= np.repeat(np.add.reduceat(weights, indptr[:-1]) if len(rows) else weights, sizes)
    histories = sparse.csr_matrix((weights.astype(np.float32), item[past], indptr), shape=(len(rows), n_items))
    return Pairs(histories, item[rows].astype(np.int32))


def _visit_begins(user: Longs, visit: Longs) -> Longs:
    """(m,) the row where each entry's visit begins."""
    head = np.ones(len(user), dtype=bool)
    head[1:] = (np.diff(user) != 0) | (np.diff(visit) != 0)
    begins: Longs = np.flatnonzero(head)[np.cumsum(head) - 1] if len(user) else np.empty(0, np.int64)
    return begins
