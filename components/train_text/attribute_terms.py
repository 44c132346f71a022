"""The attributes of items as terms: category levels, brand, price band and whatever the `attributes` column holds."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from components.common import columns as c

BANDS = 8  # of a numeric attribute: equally many items in each
LONGEST_VALUE = 80  # characters; a longer value is prose, not an attribute

Values = npt.NDArray[np.float64]


def terms_of(items: pd.DataFrame) -> list[list[str]]:
    """The attribute terms of each item.

    Args:
        items: category (a path), brand, price, attributes (JSON objects; nested keys are joined by a dot, lists give
            one term per value, keys whose values are mostly different numbers give bands).
    """
    parsed = [_flat(text) for text in items[c.ATTRIBUTES]]
    numeric = {c.PRICE: items[c.PRICE].to_numpy(dtype=np.float64), **_numbers(parsed)}
    bands = {key: bands_of(values) for key, values in numeric.items()}
    rows = []
    for row, (category, brand, pairs) in enumerate(zip(items[c.CATEGORY], items[c.BRAND], parsed, strict=True)):
        terms = _shelf(category, brand) + [f"{key}:{value}" for key, value in pairs if key not in bands]
        rows.append(terms + [f"{key}:band {places[row]}" for key, places in bands.items() if places[row] >= 0])
    return rows


def bands_of(values: Values) -> npt.NDArray[np.int64]:
    """(n,) which of BANDS equally full bands each value lies in; -1 where it is not a number."""
    known = np.isfinite(values)
    edges = np.quantile(values[known], np.arange(1, BANDS) / BANDS) if known.any() else np.empty(0)
    return np.where(known, np.searchsorted(np.unique(edges), values, side="right"), -1)


def incidence(terms: Sequence[Sequence[str]], least_items: int, most_terms: int) -> tuple[list[str], sparse.csr_matrix]:
    """Which item has which term.

    Args:
        terms: of each item.
        least_items: a term of fewer items says nothing about others.
        most_terms: the most frequent are kept.

    Returns:
        The terms kept, sorted, and (n_items, terms) float32 ones.
    """
    held = Counter(term for row in terms for term in set(row))
    kept = [term for term, items in held.items() if items >= least_items]
    kept = sorted(sorted(kept, key=lambda term: (-held[term], term))[:most_terms])
    place = {term: at for at, term in enumerate(kept)}
    rows = [sorted({place[term] for term in row if term in place}) for row in terms]
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([term for row in rows for term in row], dtype=np.int32)
    ones = np.ones(len(indices), dtype=np.float32)
    return kept, sparse.csr_matrix((ones, indices, indptr), shape=(len(rows), len(kept)))


def weighted(ones: sparse.csr_matrix, idf_power: float) -> sparse.csr_matrix:
    """Rows of length one, a term weighing (1 + log((1 + n) / (1 + items that have it)))^idf_power."""
    held = np.bincount(ones.indices, minlength=ones.shape[1])
    idf = (np.log((1 + ones.shape[0]) / (1 + held)) + 1) ** idf_power
    rows = ones.copy()
    rows.data = idf[ones.indices]
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    unit = (sparse.diags(1 / np.maximum(length, 1e-12)) @ rows).tocsr().astype(np.float32)
    unit.sort_indices()
    return unit


def _shelf(category: str, brand: str) -> list[str]:
    """Every level of the category's path, the brand, and the brand within the first level."""
    levels = [level.strip().lower() for level in category.split(c.CATEGORY_SEPARATOR.strip()) if level.strip()]
    paths = [f"{c.CATEGORY}:{c.CATEGORY_SEPARATOR.join(levels[: depth + 1])}" for depth in range(len(levels))]
    name = brand.strip().lower()
    within = [f"{c.BRAND}:{name} in {levels[0]}"] if name and levels else []
    return paths + within + ([f"{c.BRAND}:{name}"] if name else [])


def _numbers(parsed: list[list[tuple[str, str]]]) -> dict[str, Values]:
    """By key, (n_items,) values of the keys that hold one number an item and more distinct ones than bands."""
    found: dict[str, dict[int, float]] = {}
    refused = set()
    for row, pairs in enumerate(parsed):
        for key, value in pairs:
            number = _number(value)
            if number is None or row in found.get(key, {}):
                refused.add(key)
            else:
                found.setdefault(key, {})[row] = number
    wide = {key: rows for key, rows in found.items() if key not in refused and len(set(rows.values())) > BANDS}
    tables = {}
    for key, rows in wide.items():
        tables[key] = np.full(len(parsed), np.nan)
        tables[key][list(rows)] = list(rows.values())
    return tables


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _flat(text: str) -> list[tuple[str, str]]:
    """(key, value) of every scalar in a JSON object; what is no JSON object, and prose, gives none."""
    try:
        held = json.loads(text)
    except ValueError:
        return []
    return list(_pairs("", held)) if isinstance(held, dict) else []


def _pairs(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(f"{key}.{name}" if key else str(name).lower(), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(key, inner)
    elif value is not None and 0 < len(str(value).strip()) <= LONGEST_VALUE:
        yield key, str(value).strip().lower()
