"""What kind of thing a user met, and what kind of thing such users meet next."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Bools, Floats, stored
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.members.base import MEMBER_FILE, Family, Member
from serving.members.interest import interest_weights
from serving.members.sets import BySets, Sets
from serving.opinion import Opinion
from serving.queries import RECOMMEND, SEARCH, SIMILAR, Queries
from serving.sparse import SparseRows, mixed, of_each
from serving.states import UserStates

ARRAYS = ("data", "indices", "indptr")


class Attributes(Member):
    """score(user, j) = interest(user) . transitions . attributes(j), plus for a user how wanted j is by all.

    Interest is the decayed mean of the attributes of the user's items; the transitions were learned from what was
    met next. NaN for users none of whose items has an attribute, and for items without one. An item nobody ever
    met is scored like any other.
    """

    kind: ClassVar[str] = "attributes"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR})
    weighs: ClassVar[frozenset[str]] = frozenset({SEARCH})

    def __init__(
        self, items: sparse.csr_matrix, transitions: Floats, prior: Floats, half_life: float, count_power: float
    ) -> None:
        """Keep the arrays.

        Args:
            items: (n_items, a) weight of each attribute of each item, rows of length one, or empty.
            transitions: (a, a) what attribute i in a history says for attribute j in the next item.
            prior: (n_items,) added to a user's scores: how wanted the item is by all.
            half_life: visits after which a history's entry counts half.
            count_power: how repeated visits add up.
        """
        self.items, self.transitions, self.prior = items, np.ascontiguousarray(transitions), prior
        self._rows = SparseRows(items)
        self.silent = np.flatnonzero(np.diff(items.indptr) == 0)
        self.half_life, self.count_power = half_life, count_power
        self._sets: Sets | None = None

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Attributes":
        """Read the items' attributes (data.npy, indices.npy, indptr.npy), transitions.npy and prior.npy.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        numbers = read_json(folder / MEMBER_FILE)
        data, indices, indptr, transitions, prior = (
            stored(folder / f"{name}.npy") for name in (*ARRAYS, "transitions", "prior")
        )
        if len(prior) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(prior)} items, the catalogue has {len(catalogue)}. Train again.")
        items = sparse.csr_matrix((data, indices, indptr), shape=(len(prior), len(transitions)))
        return cls(items, transitions, prior, numbers["half_life"], numbers["count_power"])

    def ready(self) -> None:
        """Find the items that hold the same."""
        self._sets = Sets.of(self.items, self.prior)

    def opinion(self, queries: Queries, hidden: Hidden) -> Opinion | None:
        """By the distinct sets of attributes; None where most items have one of their own."""
        if self._sets is None:
            return None
        wanted, asked = self._wanted(queries.states)
        return BySets(self._sets, wanted, asked, self.prior if queries.scenario == RECOMMEND else None, hidden)

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; see the class."""
        scores = self.affinity(queries.states)
        if queries.scenario == RECOMMEND:
            scores += self.prior
        return scores

    def affinity(self, states: UserStates) -> Floats:
        """(n, n_items) scores without the prior."""
        wanted, asked = self._wanted(states)
        scores = of_each(self._rows, wanted)
        scores[~asked] = np.nan
        scores[:, self.silent] = np.nan
        return scores

    def _wanted(self, states: UserStates) -> tuple[Floats, Bools]:
        """(n, a) what each attribute says for the next item, and (n,) is anything said."""
        weights = interest_weights(states, self.half_life, self.count_power)
        interest = self._rows.product(states.weighted(weights))
        return mixed(interest, self.transitions), np.asarray(np.diff(interest.indptr) > 0)
