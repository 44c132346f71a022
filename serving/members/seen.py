"""What an item looks, sounds or moves like: likeness of vectors, where an item has any; the others are not scored."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Bools, Floats, stored
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family, Member
from serving.members.interest import interest_weights
from serving.members.text import unit
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.sparse import mixed
from serving.states import UserStates

ARRAYS = ("looks", "taste", "prior")


class Seen(Member):
    """Cosine of anchors and items, or of a user's interest and items in the space of what is met together.

    NaN for items without a file that could be read, and for questions none of whose items has one: a missing modality
    is masked, never a vector of zeros.
    """

    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR})

    def __init__(self, looks: Floats, taste: Floats, prior: Floats, half_life: float, count_power: float) -> None:
        """Keep the arrays.

        Args:
            looks: (n_items, p) rows of length one; NaN for items without a usable file.
            taste: (n_items, q) the same by what is met together, NaN likewise.
            prior: (n_items,) added to a user's scores: how wanted the item is by all.
            half_life: visits after which a history's entry counts half.
            count_power: how repeated visits add up.
        """
        self.known: Bools = np.asarray(~np.isnan(looks).any(axis=1))
        self.looks, self.taste = np.nan_to_num(looks), np.nan_to_num(taste)
        self.prior, self.half_life, self.count_power = prior, half_life, count_power
        self._tastes = unit(self.taste)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> Self:
        """Read looks.npy, taste.npy and prior.npy.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        numbers = read_json(folder / MEMBER_FILE)
        looks, taste, prior = read_arrays(folder, ARRAYS)
        if len(looks) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(looks)} items, the catalogue has {len(catalogue)}. Train again.")
        return cls(looks, taste, prior, numbers["half_life"], numbers["count_power"])

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) cosines in [-1, 1], plus the prior for `recommend`; NaN = not scored."""
        if queries.scenario == RECOMMEND:
            interests = self._interests(queries.states, self.taste)
            return self._masked(interests @ self._tastes.T + self.prior)
        return self._masked(self._interests(queries.states, self.looks) @ self.looks.T)

    def _interests(self, states: UserStates, vectors: Floats) -> Floats:
        """(n, p) decayed mean of the vectors of each user's items, of length one; NaN where none has one."""
        weights = interest_weights(states, self.half_life, self.count_power) * self.known[states.items]
        found = unit(mixed(states.weighted(weights), vectors))
        found[np.bincount(states.row_of, weights, minlength=len(states)) <= 0] = np.nan
        return found

    def _masked(self, scores: Floats) -> Floats:
        scores[:, ~self.known] = np.nan
        return scores


class Audio(Seen):
    """How an item sounds."""

    kind: ClassVar[str] = "audio"


class Video(Seen):
    """How an item looks in motion."""

    kind: ClassVar[str] = "video"


def read_arrays(folder: Path, names: tuple[str, ...]) -> list[Floats]:
    """The arrays *names* of a member's folder."""
    return [stored(folder / f"{name}.npy") for name in names]
