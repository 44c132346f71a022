"""Which items may stand for one another, and which go together."""

import numpy as np
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.words import COLOURS, GOES_WITH
from components.ingest.bazaar.world import Codes, Items
from serving.arrays import Ints

EACH = 5  # of either kind, for one item
COMPLEMENT, SUBSTITUTE = "complement", "substitute"
UNLIKE = 1.0  # what another colour, pattern or brand adds to the distance in price


def make_relations(items: Items) -> pd.DataFrame:
    """item, related (row numbers), kind.

    Substitutes are of one type: the nearest in price, colour, pattern and brand. Complements are of types that go
    together, in the same colour, the most popular first. Items that only their photo describes have none.
    """
    described = ~items.photo_only
    by_type = [np.flatnonzero((items.type == kind) & described) for kind in range(len(GOES_WITH))]
    parts = [_pairs(group, _nearest(items, group), SUBSTITUTE) for group in by_type if len(group) > 1]
    for kind, others in enumerate(GOES_WITH):
        pool = np.concatenate([by_type[other] for other in others])
        for colour in range(len(COLOURS)):
            found = pool[items.colour[pool] == colour]
            best = found[np.argsort(-items.popularity[found], kind="stable")[:EACH]]
            group = by_type[kind][items.colour[by_type[kind]] == colour]
            parts.append(_pairs(group, np.broadcast_to(best, (len(group), len(best))), COMPLEMENT))
    return pd.concat(parts, ignore_index=True).sort_values([c.ITEM, c.KIND], kind="stable", ignore_index=True)


def _nearest(items: Items, group: Codes) -> Ints:
    """(n, k) the nearest others of each of *group* (n,)."""
    place = items.price_place[group]
    nearest = []
    for row, item in enumerate(group):  # one row at a time: a type of a large shop has thousands of items
        distance = np.abs(place - place[row])
        for facet in (items.colour, items.pattern, items.brand):
            distance = distance + UNLIKE * (facet[group] != facet[item])
        distance[row] = np.inf
        count = min(EACH, len(group) - 1)
        nearest.append(group[np.argsort(distance, kind="stable")[:count]])
    return np.stack(nearest).astype(np.int32)


def _pairs(group: Codes, others: Codes, kind: str) -> pd.DataFrame:
    return pd.DataFrame(
        {c.ITEM: np.repeat(group, others.shape[1]), "related": np.asarray(others).ravel(), c.KIND: kind}
    )
