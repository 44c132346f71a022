"""Substitutes: of one kind, saying the same, chosen by the same users but not together."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from components.common import columns as c
from components.common.config import Config
from components.train_rules.pruned import assemble, strongest
from serving.arrays import Floats, Longs

BLOCK = 1024


class SubstitutesConfig(Config):
    """What makes an item stand in for another."""

    least_group: int = 6  # a category level with fewer items is joined with its parent
    brand_bonus: float = 0.05  # of the same brand, beside a text cosine of at most 1
    behaviour_weight: float = 0.5  # of "the same users, at other times"
    neighbours: int = 50


def kinds(categories: list[str], least: int) -> list[tuple[Longs, Longs]]:
    """Pairs (items, their candidates), ascending: the items whose deepest category of at least *least* items is one.

    The items are among their candidates.
    Items without a category, or whose whole path is rare, have the whole catalogue as candidates.
    """
    below: dict[tuple[str, ...], list[int]] = defaultdict(list)
    paths = [tuple(part.strip() for part in category.split(c.CATEGORY_SEPARATOR.strip())) for category in categories]
    for item, path in enumerate(paths):
        for depth in range(len(path) + 1):
            below[path[:depth]].append(item)
    home: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for item, path in enumerate(paths):
        depths = (depth for depth in range(len(path), 0, -1) if path[0] and len(below[path[:depth]]) >= least)
        home[path[: next(depths, 0)]].append(item)
    return [(np.array(items), np.array(below[path])) for path, items in sorted(home.items())]


def substitutes(
    vectors: Floats,
    categories: list[str],
    brands: list[str],
    users: sparse.csr_matrix,
    baskets: sparse.csr_matrix,
    config: SubstitutesConfig,
) -> sparse.csr_matrix:
    """(n_items, n_items) evidence from an item to what may stand in for it, at most 1.

    Args:
        vectors: (n_items, d) text vectors of length one.
        categories: paths, '' if none.
        brands: names, '' if none.
        users: (n_users, n_items) ones where the user met the item; may have no rows.
        baskets: (n_baskets, n_items) ones.
        config: weights and limits.
    """
    maker = _codes(brands)
    named = (maker >= 0).any()
    by_users, by_baskets = (_columns_of_length_one(counts) for counts in (users, baskets))
    parts = []
    for rows, columns in _blocks(kinds(categories, config.least_group)):
        apart = by_users[:, rows].T @ by_users[:, columns] - by_baskets[:, rows].T @ by_baskets[:, columns]
        near = np.asarray(vectors[rows] @ vectors[columns].T, dtype=np.float32)
        alike = apart.maximum(0).tocoo()
        near[alike.row, alike.col] += (config.behaviour_weight * alike.data).astype(np.float32)
        if named:
            near[(maker[rows, None] == maker[columns]) & (maker[rows, None] >= 0)] += np.float32(config.brand_bonus)
        near[np.arange(len(rows)), np.searchsorted(columns, rows)] = 0
        row, column, value = strongest(near, config.neighbours)
        parts.append((rows[row].astype(np.int32), columns[column].astype(np.int32), value))
    return assemble(parts, len(vectors))


def _blocks(groups: list[tuple[Longs, Longs]]) -> Iterator[tuple[Longs, Longs]]:
    """The groups with at most BLOCK rows at a time."""
    for items, candidates in groups:
        for start in range(0, len(items), BLOCK):
            yield items[start : start + BLOCK], candidates


def _codes(names: list[str]) -> Longs:
    """(n,) a number per name, -1 for ''."""
    number = {name: code for code, name in enumerate(sorted(set(names) - {""}))}
    return np.array([number.get(name, -1) for name in names], dtype=np.int64)


def _columns_of_length_one(counts: sparse.csr_matrix) -> sparse.csc_matrix:
    """Columns scaled so that a product of two is their cosine."""
    length = np.sqrt(np.bincount(counts.indices, counts.data**2, minlength=counts.shape[1]))
    return (counts @ sparse.diags(1 / np.maximum(length, 1e-12))).tocsc()
