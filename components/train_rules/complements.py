"""Complements: bought together more than their popularity explains."""

import numpy as np
from scipy import sparse

from components.common.config import Config
from components.train_rules.pruned import assemble, strongest

BLOCK = 1024


class ComplementsConfig(Config):
    """How co-purchase becomes evidence."""

    anchor_power: float = 0.7  # of the anchor's popularity that is divided out
    related_power: float = 0.3  # of the related item's
    neighbours: int = 100
    least_baskets: int = 2  # pairs seen in fewer are chance


def complements(baskets: sparse.csr_matrix, config: ComplementsConfig) -> sparse.csr_matrix:
    """(n_items, n_items) damped co-purchase from anchor to related item, at most 1.

    A basket of size s gives each of its pairs 1/s; a popularity is the number of baskets with the item.
    """
    sizes = np.diff(baskets.indptr)
    held = baskets[sizes > 1]
    weighted = sparse.diags(1 / sizes[sizes > 1]) @ held
    popularity = np.maximum(np.bincount(baskets.indices, minlength=baskets.shape[1]), 1)
    by_item = held.T.tocsr()
    parts = []
    for start in range(0, by_item.shape[0], BLOCK):
        own = by_item[start : start + BLOCK]
        if not own.nnz:
            continue
        together = (own @ weighted).toarray()
        together[(own @ held).toarray() < config.least_baskets] = 0
        rows = np.arange(start, start + len(together))
        together[np.arange(len(rows)), rows] = 0
        together /= popularity[rows, None] ** config.anchor_power * popularity[None, :] ** config.related_power
        row, column, value = strongest(together.astype(np.float32), config.neighbours)
        parts.append((row + np.int32(start), column, value))
    return assemble(parts, baskets.shape[1])
