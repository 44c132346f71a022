"""Request filters as a mask over the catalogue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from components.common import columns as c
from serving.arrays import Bools
from serving.catalogue import Catalogue


def allowed(catalogue: Catalogue, filters: Mapping[str, Any] | None) -> Bools:
    """(n_items,) which items satisfy *filters* {category (a path or its beginning), brand, price: [lo, hi], available}.

    An item without a price satisfies no price filter; ends of a range belong to it; brands are compared without case.

    Raises:
        KeyError: a filter of another name.
    """
    mask = np.ones(len(catalogue), dtype=bool)
    for name, wanted in (filters or {}).items():
        mask &= _FILTERS[name](catalogue, wanted)
    return mask


def _in_category(catalogue: Catalogue, wanted: str) -> Bools:
    below = f"{wanted}{c.CATEGORY_SEPARATOR}"
    return catalogue.where(c.CATEGORY, lambda path: path == wanted or path.startswith(below))


def _of_brand(catalogue: Catalogue, wanted: str) -> Bools:
    folded = wanted.casefold()
    return catalogue.where(c.BRAND, lambda brand: brand.casefold() == folded)


def _in_price_range(catalogue: Catalogue, wanted: Sequence[float]) -> Bools:
    low, high = wanted
    return np.asarray((catalogue.prices >= low) & (catalogue.prices <= high))


def _is_available(catalogue: Catalogue, wanted: bool) -> Bools:
    return np.asarray(catalogue.available == wanted)


_FILTERS: dict[str, Callable[[Catalogue, Any], Bools]] = {
    c.CATEGORY: _in_category,
    c.BRAND: _of_brand,
    c.PRICE: _in_price_range,
    c.AVAILABLE: _is_available,
}
