"""Request filters as a mask over the catalogue."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.common import columns as c
from serving.arrays import Bools
from serving.catalogue import Catalogue


def allowed(catalogue: Catalogue, filters: Mapping[str, Any] | None) -> Bools:
    """(n_items,) which items satisfy *filters* {category (a path or its beginning), brand, price: [lo, hi], available}.

    An item without a price satisfies no price filter.
    """
    mask = np.ones(len(catalogue), dtype=bool)
    items = catalogue.items
    for name, wanted in (filters or {}).items():
        if name == c.CATEGORY:
            path = items[c.CATEGORY]
            mask &= ((path == wanted) | path.str.startswith(f"{wanted}{c.CATEGORY_SEPARATOR}")).to_numpy()
        elif name == c.BRAND:
            mask &= (items[c.BRAND].str.casefold() == str(wanted).casefold()).to_numpy()
        elif name == c.PRICE:
            mask &= items[c.PRICE].between(wanted[0], wanted[1]).to_numpy()
        elif name == c.AVAILABLE:
            mask &= catalogue.available == bool(wanted)
    return mask
