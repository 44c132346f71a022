"""What the neighbourhood members share: a pruned item-by-item matrix and a weighted history."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Bools, Floats, Ints, stored
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.members.base import MEMBER_FILE, Family, Member
from serving.members.history import HistoryWeights
from serving.members.sums import Sums
from serving.opinion import Opinion
from serving.queries import BUNDLE, RECOMMEND, SIMILAR, Queries
from serving.sparse import SparseRows

ARRAYS = ("indptr", "indices", "data")


class NeighbourMember(Member):
    """score(user, j) = sum over the history's items i of weight(i) * similarity[i, j].

    An item nobody met in training and a user whose history leads nowhere are not scored; an item that is no
    neighbour of the history scores 0.
    """

    family: ClassVar[Family] = "cf"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, BUNDLE})

    def __init__(self, similarity: sparse.csr_matrix, known: Bools, history: HistoryWeights) -> None:
        """Take a (n_items, n_items) matrix of any signs and which items (n_items,) training met."""
        self.similarity, self.history, self._rows = similarity, history, SparseRows(similarity)
        self.known, self.unknown = known, np.flatnonzero(~known)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> Self:
        """Read the arrays written by the trainer.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        arrays = [stored(folder / f"{name}.npy") for name in ARRAYS]
        n_items = len(catalogue)
        if len(arrays[0]) != n_items + 1:
            raise ReleaseError(
                f"{folder}: neighbours of {len(arrays[0]) - 1} items found, {n_items} expected; package it again."
            )
        similarity = sparse.csr_matrix((arrays[2], arrays[1], arrays[0]), shape=(n_items, n_items))
        known = stored(folder / "known.npy")
        return cls(similarity, known, HistoryWeights.of(read_json(folder / MEMBER_FILE)))

    @cached_property
    def _rest(self) -> Ints:
        """The rows of the items that training met."""
        return np.flatnonzero(self.known).astype(np.int32)

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion:
        """From the neighbours of the histories alone."""
        states = queries.states
        touched = self._rows.touched(states.weighted(self.history.weights(states)))
        return Sums(touched, self.known, self._rest, hidden)

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; see the class."""
        states = queries.states
        scores = self._rows.summed(states.weighted(self.history.weights(states)))
        lost = ~scores.any(axis=1)
        scores[:, self.unknown] = np.nan
        scores[lost] = np.nan
        return scores
