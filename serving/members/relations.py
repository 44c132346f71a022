"""Relations between items: what goes with a basket, what may stand in for an item."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from components.common.errors import ReleaseError
from serving.arrays import Bools, Floats, stored
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.members.base import Family, Member
from serving.members.sums import Sums
from serving.opinion import Opinion
from serving.queries import BUNDLE, SIMILAR, Queries
from serving.sparse import SparseRows

ARRAYS = ("data", "indices", "indptr")
MINED = 1.0  # mined evidence is at most that; what the shop itself says comes on top


class Relations(Member):
    """Sums the evidence that leads from the anchors to each item; NaN where none does."""

    family: ClassVar[Family] = "rules"

    def __init__(self, related: sparse.csr_matrix) -> None:
        self.related = related  # (n_items, n_items): from anchor to related item, stored values above 0
        self._rows = SparseRows(related)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> Self:
        """Read data.npy, indices.npy and indptr.npy."""
        data, indices, indptr = (stored(folder / f"{name}.npy") for name in ARRAYS)
        if len(indptr) != len(catalogue) + 1:
            raise ReleaseError(f"{folder}: {len(indptr) - 1} items, the catalogue has {len(catalogue)}. Train again.")
        return cls(sparse.csr_matrix((data, indices, indptr), shape=(len(catalogue),) * 2))

    @cached_property
    def _all(self) -> Bools:
        return np.ones(self.related.shape[1], dtype=bool)

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion:
        """From what is related to the anchors alone."""
        states = queries.states
        touched = self._rows.touched(states.weighted(np.ones(len(states.items), np.float32)))
        return Sums(touched, self._all, None, hidden)

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) summed evidence from the items of each state; NaN = none."""
        states = queries.states
        scores = self._rows.summed(states.weighted(np.ones(len(states.items), np.float32)))
        scores[scores == 0] = np.nan
        return scores


class Complements(Relations):
    """Items bought together with the anchors, both popularities damped."""

    kind: ClassVar[str] = "complements"
    scenarios: ClassVar[frozenset[str]] = frozenset({BUNDLE})


class Substitutes(Relations):
    """Items of the anchor's kind that say the same and are chosen by the same users at other times."""

    kind: ClassVar[str] = "substitutes"
    scenarios: ClassVar[frozenset[str]] = frozenset({SIMILAR})


def rivals(members: Mapping[str, Member]) -> sparse.csr_matrix | None:
    """(n_items, n_items) above 0 from an item to what must not be offered together with it; None: nothing is known.

    That is what the shop calls a substitute, and what was found to be one and is not bought together with it: two
    kinds of yoghurt may stand in for each other and still go into one basket.
    """
    substitutes = next((member for member in members.values() if isinstance(member, Substitutes)), None)
    if substitutes is None:
        return None
    together = next((member.related for member in members.values() if isinstance(member, Complements)), None)
    found = substitutes.related
    if together is None:
        return found
    told = found.multiply(found > MINED)
    return sparse.csr_matrix(told + (found - found.multiply(together > 0)))
