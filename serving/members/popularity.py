"""How many users met each item lately: the same scores for everyone."""

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
from serving.queries import SCENARIOS, Queries

SCORES_FILE = "scores.npy"


class Popularity(Member):
    """Log of the decayed number of distinct users; items nobody met have the floor, 0."""

    kind: ClassVar[str] = "popularity"
    family: ClassVar[Family] = "popularity"
    scenarios: ClassVar[frozenset[str]] = frozenset(SCENARIOS)

    def __init__(self, scores: Floats) -> None:
        """Take (n_items,) scores."""
        self.scores = scores

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Popularity":
        """Read the array written by the trainer.

        Raises:
            ReleaseError: it does not fit the catalogue.
        """
        scores = stored(folder / SCORES_FILE)
        if scores.shape != (len(catalogue),):
            raise ReleaseError(
                f"{folder}: scores of shape {scores.shape} found, ({len(catalogue)},) expected; package it again."
            )
        return cls(scores)

    @cached_property
    def _order(self) -> Ints:
        return ordered(self.scores)

    def ready(self) -> None:
        """Put the items in order."""
        _ = self._order

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion:
        """In an order that is known before anybody asks."""
        return Ordered(self.scores, self._order, hidden, len(queries))

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) the same row for every query; every item is scored."""
        return np.repeat(self.scores[None, :], len(queries), axis=0)
