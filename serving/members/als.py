"""Implicit-feedback matrix factorisation; the user's vector is solved from the history of the moment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving import kernels
from serving.arrays import Bools, Floats, Longs, stored
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family
from serving.members.dense import Dense, Space
from serving.members.history import HistoryWeights
from serving.queries import BUNDLE, RECOMMEND, SEARCH, SIMILAR, Queries
from serving.states import UserStates

Doubles = npt.NDArray[np.float64]
GROUP_CELLS = 4_000_000  # cells of one padded group of histories: 32 MB


class Als(Dense):
    """score = x_u . y_j with x_u = (Y'Y + alpha Y'WY + reg I)^-1 Y'(1 + alpha W), W the weighted history of u.

    Items nobody met in training and users without a known item are not scored.
    """

    kind: ClassVar[str] = "als"
    family: ClassVar[Family] = "cf"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, BUNDLE})
    weighs: ClassVar[frozenset[str]] = frozenset({SEARCH})

    def __init__(self, factors: Floats, known: Bools, history: HistoryWeights, alpha: float, reg: float) -> None:
        """Take (n_items, d) item factors, which items (n_items,) training met, and the numbers of the fold-in."""
        self.factors, self.known, self.history = factors, known, history
        self.alpha, self.reg = alpha, reg
        self.unknown = np.flatnonzero(~known)
        self._space = Space(factors, known)
        wide = factors.astype(np.float64)
        self.gram = wide.T @ wide + reg * np.eye(factors.shape[1])

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Als":
        """Read the arrays written by the trainer.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        factors, known = (stored(folder / f"{name}.npy") for name in ("factors", "known"))
        if len(factors) != len(catalogue):
            raise ReleaseError(
                f"{folder}: factors of {len(factors)} items found, {len(catalogue)} expected; package it again."
            )
        numbers: dict[str, Any] = read_json(folder / MEMBER_FILE)
        return cls(factors, known, HistoryWeights.of(numbers), float(numbers["alpha"]), float(numbers["reg"]))

    @property
    def item_vectors(self) -> Floats:
        """The item factors."""
        return self.factors

    @property
    def space(self) -> Space:
        """The item factors."""
        return self._space

    def asked(self, queries: Queries) -> tuple[Floats, bool]:
        """The users' vectors."""
        return self.fold_in(queries.states), False

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; see the class."""
        vectors = self.fold_in(queries.states)
        scores: Floats = vectors @ self.factors.T
        scores[:, self.unknown] = np.nan
        scores[~np.isfinite(vectors[:, 0])] = np.nan
        return scores

    def fold_in(self, states: UserStates) -> Floats:
        """(n, d) user vectors; NaN for users without an item of positive weight that training met."""
        weights = np.where(self.known[states.items], self.history.weights(states), 0.0)
        if kernels.there:
            found = kernels.folded(states.indptr, states.items, weights, self.factors, self.gram, self.alpha)
            if found is not None:
                return found
        vectors = np.full((len(states), self.factors.shape[1]), np.nan, dtype=np.float32)
        for rows, entries, mask in length_groups(states.indptr, self.factors.shape[1]):
            weight = weights[entries] * mask
            history = self.factors[states.items[entries]].astype(np.float64)
            scaled = (history * (self.alpha * weight)[:, :, None]).transpose(0, 2, 1)
            right = ((weight > 0) + self.alpha * weight)[:, None, :] @ history
            solved = np.linalg.solve(self.gram + scaled @ history, right.transpose(0, 2, 1))[:, :, 0]
            vectors[rows] = np.where(np.any(weight > 0, axis=1, keepdims=True), solved, np.nan)
        return vectors


def length_groups(indptr: Longs, width: int) -> Iterator[tuple[Longs, Longs, Bools]]:
    """Rows of a ragged batch grouped by their length rounded up to a power of two, empty rows left out.

    Yields:
        rows (g,), their entries (g, length) padded with the row's first entry, and which entries (g, length) are real.
    """
    sizes = np.diff(indptr)
    level = np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64)
    for power in np.unique(level[sizes > 0]):
        length = 1 << int(power)
        rows = np.flatnonzero((level == power) & (sizes > 0))
        step = max(1, GROUP_CELLS // (length * width))
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            mask = np.arange(length)[None, :] < sizes[chunk][:, None]
            yield chunk, np.where(mask, indptr[chunk][:, None] + np.arange(length), indptr[chunk][:, None]), mask
