"""How alike items are, for the rules that spread a list: by category, by brand, in the release's item vectors."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pandas as pd

from components.common import columns as c
from serving.arrays import Floats, Ints
from serving.catalogue import Catalogue

DEPTH = 8  # levels of a category path that are told apart


class Likeness:
    """What the rules know of the likeness of a catalogue's items; each part is made when it is first needed."""

    def __init__(self, catalogue: Catalogue, vectors: Floats | None) -> None:
        """Look at a catalogue.

        Args:
            catalogue: the items.
            vectors: (n_items, d) in which items that the same users take are near; None: there are none.
        """
        self._catalogue, self._vectors = catalogue, vectors
        self._by_level: dict[int | None, Ints] = {}

    @cached_property
    def levels(self) -> Ints:
        """(n_items, DEPTH) number of each item's category down to each level, -1 below its own depth."""
        found = [_parts(path) for path in self._categories]
        columns = [
            _numbers(c.CATEGORY_SEPARATOR.join(parts[:level]) if len(parts) >= level else "" for parts in found)
            for level in range(1, DEPTH + 1)
        ]
        return np.stack(columns, axis=1)

    @cached_property
    def brands(self) -> Ints:
        """(n_items,) number of each item's brand, compared without case; -1 without one."""
        return _numbers(str(brand).casefold() for brand in self._catalogue.items[c.BRAND])

    def categories(self, level: int | None) -> Ints:
        """(n_items,) number of each item's category down to *level* (None or a shorter path: all), -1 without one."""
        if level not in self._by_level:
            self._by_level[level] = _numbers(
                c.CATEGORY_SEPARATOR.join(_parts(path)[:level]) for path in self._categories
            )
        return self._by_level[level]

    def prepare(self, over: str, level: int | None) -> None:
        """Make now what a rule will ask for, so that no request waits for it."""
        self.categories(level)
        if over == "category" or self._units is None:
            _ = self.levels

    def to(self, items: Ints, other: int, over: str) -> Floats:
        """(m,) in [0, 1]: how like *other* each of *items* is.

        Args:
            items: (m,) catalogue rows.
            other: a catalogue row.
            over: `vectors`: the cosine, 0 where it is negative; `category`, or where there are no vectors: the share of
                the longer path that both have in common from its top.
        """
        if over == "vectors" and self._units is not None:
            return np.asarray(np.clip(self._units[items] @ self._units[other], 0, 1), dtype=np.float32)
        own, others = self.levels[other], self.levels[items]
        common = ((others == own) & (own >= 0)).sum(axis=1)
        longest = np.maximum((others >= 0).sum(axis=1), (own >= 0).sum())
        return np.asarray(common / np.maximum(longest, 1), dtype=np.float32)

    @property
    def _categories(self) -> list[str]:
        return [str(path) for path in self._catalogue.items[c.CATEGORY]]

    @cached_property
    def _units(self) -> Floats | None:
        if self._vectors is None:
            return None
        lengths = np.linalg.norm(self._vectors, axis=1, keepdims=True)
        return np.asarray(self._vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _parts(path: str) -> list[str]:
    return path.split(c.CATEGORY_SEPARATOR) if path else []


def _numbers(texts: Iterable[str]) -> Ints:
    """Numbers of distinct texts in order of appearance, -1 for the empty one."""
    named = pd.Series(list(texts), dtype=object)
    return np.asarray(pd.factorize(named.where(named != ""))[0], dtype=np.int32)
