"""Brand and category by name: who types one wants that, whatever else the words could mean."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common import columns as c
from serving.arrays import Floats, Ints
from serving.catalogue import Catalogue
from serving.members.base import Family, Member
from serving.queries import SEARCH, Queries
from serving.text import words

Names = dict[tuple[str, ...], Ints]
LONGEST = 6  # words of a name


class Named(Member):
    """The share of a query's words that name an item's brand, or the last level of its category, in full.

    NaN for items of which nothing is named. It weighs what other members found and finds nothing itself: within a
    brand or a category it knows no order.
    """

    kind: ClassVar[str] = "named"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({SEARCH})
    recalls: ClassVar[bool] = False

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    @classmethod
    def load(cls, _folder: Path, catalogue: Catalogue) -> "Named":
        """There is nothing to read: names are the catalogue's own."""
        return cls(catalogue)

    @cached_property
    def _names(self) -> tuple[Names, ...]:
        """By kind of name, the items of each."""
        items = self.catalogue.items
        leaves = items[c.CATEGORY].astype(str).str.rsplit(c.CATEGORY_SEPARATOR, n=1).str[-1]
        return tuple(_by_name(texts.tolist()) for texts in (items[c.BRAND].astype(str), leaves))

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) shares in (0, 1]; NaN where nothing of the item is named."""
        scores = np.zeros((len(queries), len(self.catalogue)), dtype=np.float32)
        for row, text in enumerate(queries.texts or ()):
            asked = list(dict.fromkeys(words(text)))
            for names in self._names:
                for name in _spans(words(text)) & names.keys():
                    place = scores[row, names[name]]
                    scores[row, names[name]] = np.minimum(place + np.float32(len(set(name)) / len(asked)), 1)
        scores[scores == 0] = np.nan
        return scores


def _by_name(texts: list[str]) -> Names:
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        rows.setdefault(text, []).append(row)
    found: dict[tuple[str, ...], list[int]] = {}
    for text, held in rows.items():
        name = tuple(words(text))
        if name:
            found.setdefault(name, []).extend(held)
    return {name: np.array(sorted(held), dtype=np.int32) for name, held in found.items()}


def _spans(terms: list[str]) -> set[tuple[str, ...]]:
    """Every run of up to LONGEST terms."""
    size = len(terms)
    return {
        tuple(terms[start:end]) for start in range(size) for end in range(start + 1, min(start + LONGEST, size) + 1)
    }
