"""What the members share that fold a user in: a weighted mean of item vectors, multiplied with item vectors."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from components.common.errors import ReleaseError
from serving.arrays import Bools, Floats, stored
from serving.members.base import Family
from serving.members.dense import Dense, Space
from serving.members.history import HistoryWeights
from serving.queries import BUNDLE, RECOMMEND, SIMILAR, Queries
from serving.sparse import mixed


class FoldedMember(Dense):
    """score(user, j) = bias[j] + outputs[j] . mean of inputs[i] over the history's items i, by their weights.

    Items nobody met in training and users without a known item of positive weight are not scored.
    """

    family: ClassVar[Family] = "cf"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, BUNDLE})

    def __init__(self, inputs: Floats, outputs: Floats, bias: Floats, known: Bools, history: HistoryWeights) -> None:
        """Take (n_items, d) inputs and outputs, (n_items,) bias and which items (n_items,) training met."""
        self.inputs, self.outputs, self.bias = inputs, outputs, bias
        self.known, self.history = known, history
        self.unknown = np.flatnonzero(~known)
        self._space = Space(outputs, known, bias if bias.any() else None)

    @property
    def space(self) -> Space:
        """The outputs."""
        return self._space

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; see the class."""
        vectors, _ = self.asked(queries)
        scores: Floats = vectors @ self.outputs.T
        scores += self.bias
        scores[:, self.unknown] = np.nan
        return scores

    def asked(self, queries: Queries) -> tuple[Floats, bool]:
        """The means of the histories' inputs; NaN for users without a known item of positive weight."""
        states = queries.states
        weights = np.where(self.known[states.items], self.history.weights(states), 0.0)
        total = np.bincount(states.row_of, weights, minlength=len(states))
        shares = (weights / np.maximum(total, 1e-30)[states.row_of]).astype(np.float32)
        vectors = mixed(states.weighted(shares), self.inputs)
        vectors[total <= 0] = np.nan
        return vectors, True


def read_arrays(folder: Path, names: tuple[str, ...], n_items: int) -> list[npt.NDArray[Any]]:
    """The arrays *names* of a member's folder, in that order; the first has a row per item.

    Raises:
        ReleaseError: they do not fit the catalogue.
    """
    arrays = [stored(folder / f"{name}.npy") for name in names]
    if len(arrays[0]) != n_items:
        raise ReleaseError(
            f"{folder}: {names[0]} of {len(arrays[0])} items found, {n_items} expected; package it again."
        )
    return arrays
