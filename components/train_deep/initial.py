"""Where training starts: popularity as bias, factors of what users met together as ids."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from components.train_deep.config import DeepConfig
from components.train_deep.histories import Entries
from serving.arrays import Floats

REACH = 5  # visits apart, at most, for two items to count as neighbours
LONGEST = 3.0  # times the mean length: rare items that stand apart get factors of their own, far longer
BASKET = 1.5  # mean items a visit from which on the order of items says nothing
OVERSAMPLING, ITERATIONS = 16, 5


def log_popularity(entries: Entries, n_items: int) -> Floats:
    """(n_items,) log of the smoothed number of users who met each item, mean 0."""
    counts = np.bincount(entries.item[entries.new], minlength=n_items)
    logs = np.log(counts + 0.5)
    return np.asarray(logs - logs.mean(), dtype=np.float32)


def starting_ids(entries: Entries, n_items: int, config: DeepConfig) -> Floats:
    """(n_items, d) id embeddings to start from, near length 1, at most LONGEST; zero for items without entries.

    Neighbours in time where items come one by one, whole histories where they come in baskets.
    """
    if not config.warm_start:
        noise = np.random.default_rng(config.seed).normal(size=(n_items, config.embedding_size))
        return np.asarray(noise / config.embedding_size**0.5, dtype=np.float32)
    together = histories(entries, n_items) if in_baskets(entries) else neighbours(entries, n_items)
    vectors = factors(together, config.embedding_size, config.seed)
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths.any():
        return vectors
    unit = lengths[lengths > 0].mean()
    shrink = np.minimum(1, LONGEST * unit / np.maximum(lengths, 1e-9)) / unit
    return np.asarray(config.start_length * vectors * shrink[:, None], dtype=np.float32)


def in_baskets(entries: Entries) -> bool:
    """Do users meet several items at once."""
    visits = 1 + int(((np.diff(entries.user) != 0) | (np.diff(entries.visit) != 0)).sum())
    return len(entries) > BASKET * visits


class Product:
    """A symmetric positive operator on (n_items, k) blocks: the damped co-occurrence, never written out."""

    def __init__(self, apply: Callable[[Floats], Floats], n_items: int) -> None:
        self.apply, self.n_items = apply, n_items


def histories(entries: Entries, n_items: int) -> Product:
    """Items of one user, each pair weighing 1 / users' sizes and roots of the items' popularities."""
    of_user = sparse.csr_matrix(
        (np.ones(entries.new.sum(), np.float32), (entries.user[entries.new], entries.item[entries.new])),
        shape=(len(entries.starts) - 1, n_items),
    )
    users, items = (np.asarray(of_user.sum(axis=axis)).ravel() for axis in (1, 0))
    of_user = (sparse.diags(_inverse_root(users)) @ of_user @ sparse.diags(_inverse_root(items))).tocsr()
    backward = of_user.T.tocsr()
    return Product(lambda block: backward @ (of_user @ block), n_items)


def neighbours(entries: Entries, n_items: int) -> Product:
    """Items met within REACH visits of each other, the nearer weighing more, damped by both popularities."""
    total = sparse.csr_matrix((n_items, n_items), dtype=np.float32)
    for shift in range(1, int(BASKET * REACH) + 1):
        left, right = slice(None, -shift), slice(shift, None)
        gap = entries.visit[right] - entries.visit[left]
        near = (entries.user[right] == entries.user[left]) & (gap <= REACH)
        near &= entries.item[left] != entries.item[right]
        pairs = (entries.item[left][near], entries.item[right][near])
        total = total + sparse.csr_matrix(((1.0 / (1.0 + gap[near])).astype(np.float32), pairs), shape=total.shape)
    total = total + total.T
    scale = sparse.diags(_inverse_root(np.asarray(total.sum(axis=1)).ravel()))
    damped = (scale @ total @ scale).tocsr()
    return Product(lambda block: damped @ block, n_items)


def factors(product: Product, size: int, seed: int) -> Floats:
    """(n_items, size) V with V Vᵀ near *product*: a truncated eigendecomposition, negative values dropped."""
    width = min(size + OVERSAMPLING, product.n_items)
    basis = np.random.default_rng(seed).normal(size=(product.n_items, width)).astype(np.float32)
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(product.apply(basis))[0].astype(np.float32)
    values, rotation = np.linalg.eigh((basis.T @ product.apply(basis)).astype(np.float64))
    kept = np.argsort(-values)[:size]
    result = np.zeros((product.n_items, size), dtype=np.float32)
    result[:, : len(kept)] = (basis @ rotation[:, kept]) * np.sqrt(np.maximum(values[kept], 0))
    result[np.abs(result).max(axis=1) < 1e-7] = 0
    return result


def _inverse_root(sums: Floats) -> Floats:
    return np.where(sums > 0, 1 / np.sqrt(np.maximum(sums, 1e-9)), 0).astype(np.float32)
