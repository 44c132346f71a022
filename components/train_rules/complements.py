"""Complements: bought together more than their popularity explains."""

import numpy as np
from scipy import sparse

from components.common.config import Config
from components.train_rules.pruned import assemble, strongest_of

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
        together, counted = (_in_order(own @ other) for other in (weighted, held))
        rows = np.repeat(np.arange(start, start + own.shape[0]), np.diff(together.indptr))
        columns = together.indices
        chance = popularity[rows] ** config.anchor_power * popularity[columns] ** config.related_power
        kept = (counted.data >= config.least_baskets) & (rows != columns)
        found = rows[kept], columns[kept], (together.data / chance)[kept].astype(np.float32)
        parts.append(strongest_of(*found, config.neighbours))
    return assemble(parts, baskets.shape[1])


def _in_order(product: sparse.csr_matrix) -> sparse.csr_matrix:
    """The product with the columns of every row ascending, so that two of the same baskets have the same places."""
    product.sort_indices()
    return product
