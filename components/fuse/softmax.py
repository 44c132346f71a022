"""Listwise weights: which blend makes the relevant items most likely under a softmax over the candidates.

loss(w) = mean over lists of -sum_j t_j log softmax(x_j · w), t = the list's relevance, summing to 1.
`fit_simplex` keeps w on the simplex (a softmax of free parameters) with one learned temperature beside it;
`fit_free` lets every weight take any sign, held back by l2. Both run L-BFGS on exact gradients: no randomness.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from serving.arrays import Floats

Doubles = npt.NDArray[np.float64]
Objective = Callable[[Doubles], tuple[float, Doubles]]
TOLERANCE = 1e-6  # relative fall of the loss at which the search ends


@dataclass(frozen=True)
class Listwise:
    """x: (n·c, D) features. share: (n, c) relevance, each row summing to 1. bar: (n, c) 0, or -inf for padding."""

    x: Floats
    share: Floats
    bar: Floats

    @classmethod
    def of(
        cls, x: npt.NDArray[np.floating], relevance: npt.NDArray[np.floating], valid: npt.NDArray[np.bool_]
    ) -> "Listwise":
        """Lists from (n, c, D) features, (n, c) non-negative relevance (some in every row) and (n, c) validity."""
        gained = np.where(valid, relevance, 0).astype(np.float64)
        share = (gained / gained.sum(axis=1, keepdims=True)).astype(np.float32)
        bar = np.where(valid, 0.0, -np.inf).astype(np.float32)
        return cls(np.ascontiguousarray(x.reshape(-1, x.shape[2]), dtype=np.float32), share, bar)

    def loss(self, weights: Doubles) -> tuple[float, Doubles]:
        """Mean listwise cross-entropy of (D,) weights, and its (D,) gradient."""
        scores = (self.x @ weights.astype(np.float32)).reshape(self.share.shape)
        relevant = (scores * self.share).sum(axis=1, dtype=np.float64)
        barred = scores + self.bar
        highest = barred.max(axis=1, keepdims=True)
        likely = np.exp(barred - highest)
        total = likely.sum(axis=1, keepdims=True)
        value = (np.log(total[:, 0]) + highest[:, 0] - relevant).mean(dtype=np.float64)
        likely /= total
        likely -= self.share
        return float(value), (likely.ravel() @ self.x).astype(np.float64) / len(scores)


def fit_simplex(lists: Listwise, steps: int = 60) -> tuple[Doubles, float]:
    """(D,) weights >= 0 summing to 1, and the temperature's inverse that makes their blend a likelihood."""
    size = lists.x.shape[1]

    def objective(values: Doubles) -> tuple[float, Doubles]:
        weights, sharpness = _softmax(values[:size]), np.exp(values[size])
        loss, slope = lists.loss(weights * sharpness)
        inner = sharpness * weights * (slope - slope @ weights)
        gradient = np.append(inner, sharpness * (slope @ weights))
        return loss + 1e-6 * float(values @ values), gradient + 2e-6 * values

    found = _minimise(objective, np.append(np.zeros(size), np.log(10.0)), steps)
    return _softmax(found[:size]), float(np.exp(found[size]))


def fit_free(lists: Listwise, l2: float = 1e-3, steps: int = 60, start: float = 1.0) -> Doubles:
    """(D,) weights of any sign, held back by l2 times their squared length; the search starts at *start*."""

    def objective(weights: Doubles) -> tuple[float, Doubles]:
        loss, slope = lists.loss(weights)
        return loss + l2 * float(weights @ weights), slope + 2 * l2 * weights

    return _minimise(objective, np.full(lists.x.shape[1], start), steps)


def _minimise(objective: Objective, start: Doubles, steps: int) -> Doubles:
    options = {"maxiter": steps, "maxcor": 20, "ftol": TOLERANCE}
    found: Doubles = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
    return found


def _softmax(values: Doubles) -> Doubles:
    likely = np.exp(values - values.max())
    weights: Doubles = likely / likely.sum()
    return weights
