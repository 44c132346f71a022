"""What people like this user meet: popularity among users of the same age, region, plan or whatever a shop knows."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Floats, stored
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family, Member
from serving.queries import RECOMMEND, Queries
from serving.sparse import SparseRows, Weighted

VOCABULARY_FILE = "vocabulary.json"
ARRAYS = ("data", "indices", "indptr")
LONGEST_VALUE = 80  # characters; a longer value is prose, not a trait


def traits(profile: str, edges: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """The traits that a profile, a JSON object, names: "column:value", or "column:band n" for a column with *edges*.

    >>> traits('{"age": 37, "plan": "Gold"}', {"age": [18, 30, 50]})
    ('age:band 2', 'plan:gold')
    """
    try:
        held = json.loads(profile)
    except ValueError:
        return ()
    if not isinstance(held, dict):
        return ()
    found = (_trait(str(name), value, edges.get(str(name))) for name, value in sorted(held.items()))
    return tuple(trait for trait in found if trait)


def _trait(name: str, value: object, edges: Sequence[float] | None) -> str | None:
    if edges is not None:
        return f"{name}:band {bisect_right(edges, float(value))}" if isinstance(value, int | float) else None
    text = str(value).strip().lower()
    return f"{name}:{text}" if value is not None and 0 < len(text) <= LONGEST_VALUE else None


class Profile(Member):
    """score(user, j) = log popularity of j + strength · sum over the user's traits of log P(trait | met j) / P(trait).

    NaN for users without a known trait. Nothing of the user's history is looked at.
    """

    kind: ClassVar[str] = "profile"
    family: ClassVar[Family] = "popularity"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND})

    def __init__(
        self,
        terms: Sequence[str],
        edges: Mapping[str, Sequence[float]],
        lifts: sparse.csr_matrix,
        prior: Floats,
        strength: float,
    ) -> None:
        """Keep what was learned.

        Args:
            terms: the known traits.
            edges: by numeric column, where its bands end.
            lifts: (terms, n_items) log lifts, 0 where nothing is known.
            prior: (n_items,) log popularity.
            strength: how far the lifts are trusted.
        """
        self.terms, self.edges, self.lifts, self.prior, self.strength = terms, dict(edges), lifts, prior, strength
        self._lifts = SparseRows(lifts)
        self.rows = {term: row for row, term in enumerate(terms)}
        self._known = lru_cache(maxsize=4096)(self._rows_of)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Profile":
        """Read vocabulary.json, the lifts (data.npy, indices.npy, indptr.npy) and prior.npy.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        numbers, terms = read_json(folder / MEMBER_FILE), read_json(folder / VOCABULARY_FILE)
        data, indices, indptr, prior = (stored(folder / f"{name}.npy") for name in (*ARRAYS, "prior"))
        if len(prior) != len(catalogue):
            raise ReleaseError(f"{folder}: {len(prior)} items, the catalogue has {len(catalogue)}. Train again.")
        lifts = sparse.csr_matrix((data, indices, indptr), shape=(len(terms), len(prior)))
        return cls(terms, numbers["edges"], lifts, prior, numbers["strength"])

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; see the class."""
        lifted = self.lifted(queries.states.profiles or ("",) * len(queries))
        scores: Floats = (self.prior + np.float32(self.strength) * lifted).astype(np.float32)
        return scores

    def lifted(self, profiles: Sequence[str]) -> Floats:
        """(n, n_items) sums of log lifts; NaN for profiles without a known trait."""
        known = [self._known(profile) for profile in profiles]
        indptr = np.cumsum([0, *map(len, known)])
        indices = np.array([row for rows in known for row in rows], dtype=np.int32)
        sums = self._lifts.summed(Weighted(indptr, indices, np.ones(len(indices), np.float32)))
        sums[np.diff(indptr) == 0] = np.nan
        return sums

    def _rows_of(self, profile: str) -> tuple[int, ...]:
        return tuple(self.rows[trait] for trait in traits(profile, self.edges) if trait in self.rows)
