"""Word vectors of the shop's own language: what a user's items are called, and what such items stand beside."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Floats, stored
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family
from serving.members.dense import Dense, Space
from serving.members.interest import interest_weights
from serving.members.text import unit
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.sparse import mixed
from serving.states import UserStates


class Word2vec(Dense):
    """Cosine between the decayed mean of a history's item vectors and every item's, plus a prior for users.

    NaN for users none of whose items has a vector, and for items without one.
    """

    kind: ClassVar[str] = "word2vec"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR})

    def __init__(self, vectors: Floats, prior: Floats, half_life: float, count_power: float) -> None:
        """Keep the arrays.

        Args:
            vectors: (n_items, d) rows of length one, or zero where nothing is known of the item.
            prior: (n_items,) added to a user's scores: how wanted the item is by all.
            half_life: visits after which a history's entry counts half.
            count_power: how repeated visits add up.
        """
        self.vectors, self.prior = vectors, prior
        known = vectors.any(axis=1)
        self.silent = np.flatnonzero(~known)
        self._space = Space(vectors, np.asarray(known), prior)
        self.half_life, self.count_power = half_life, count_power

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Word2vec":
        """Read vectors.npy and prior.npy.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        numbers = read_json(folder / MEMBER_FILE)
        vectors, prior = (stored(folder / f"{name}.npy") for name in ("vectors", "prior"))
        if len(vectors) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(vectors)} items, the catalogue has {len(catalogue)}. Train again.")
        return cls(vectors, prior, numbers["half_life"], numbers["count_power"])

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) cosines in [-1, 1], plus the prior for `recommend`; NaN = not scored."""
        scores = self.cosines(queries.states)
        return scores + self.prior if queries.scenario == RECOMMEND else scores

    @property
    def space(self) -> Space:
        """The vectors and the prior."""
        return self._space

    def asked(self, queries: Queries) -> tuple[Floats, bool]:
        """The users' interests; the prior counts for `recommend`."""
        return self.interests(queries.states), queries.scenario == RECOMMEND

    def interests(self, states: UserStates) -> Floats:
        """(n, d) decayed means of the histories' vectors, of length one; NaN where no item has one."""
        weights = interest_weights(states, self.half_life, self.count_power)
        interests = unit(mixed(states.weighted(weights), self.vectors))
        interests[~interests.any(axis=1)] = np.nan
        return interests

    def cosines(self, states: UserStates) -> Floats:
        """(n, n_items) scores without the prior."""
        scores: Floats = self.interests(states) @ self.vectors.T
        scores[:, self.silent] = np.nan
        return scores
