"""What an item's reviews say of it: the same scores for everyone, of reviewed items only."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common.errors import ReleaseError
from serving.arrays import Floats, Ints, stored
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.members.base import Family, Member
from serving.opinion import Opinion, Ordered, ordered
from serving.queries import RECOMMEND, SEARCH, Queries

OPINIONS_FILE, REVIEWS_FILE = "opinions.npy", "reviews.npy"


class SentimentOfItems(Member):
    """Mean sentiment of an item's reviews, drawn to the shop's mean where they are few; NaN without a review.

    It says how good an item is, not for whom: it weighs what other members found and finds nothing itself.
    """

    kind: ClassVar[str] = "sentiment"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SEARCH})
    recalls: ClassVar[bool] = False

    def __init__(self, opinions: Floats, reviews: Ints) -> None:
        """Take (n_items,) opinions in 0 to 1, NaN = nobody wrote of it, and (n_items,) how many did."""
        self.opinions, self.reviews = opinions, reviews

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "SentimentOfItems":
        """Read opinions.npy and reviews.npy.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        opinions, reviews = (stored(folder / name) for name in (OPINIONS_FILE, REVIEWS_FILE))
        if len(opinions) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(opinions)} items, the catalogue has {len(catalogue)}. Train again.")
        return cls(opinions, reviews)

    @cached_property
    def _order(self) -> Ints:
        return ordered(self.opinions)

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion:
        """In an order that is known before anybody asks."""
        return Ordered(self.opinions, self._order, hidden, len(queries))

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) the same row for every query."""
        return np.repeat(self.opinions[None, :], len(queries), axis=0)
