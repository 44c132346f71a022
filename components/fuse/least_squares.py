"""min over w of 1/N sum (y - sum_k w_k M_k)^2 + l2 |w|^2 + l1 |w|_1, exactly and by gradient descent.

The weights may be free, non-negative, or on the simplex (non-negative, summing to 1: then a blend of probabilities is
a probability). Both solvers see the data only through its second moments, so a million rows cost one pass.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

Doubles = npt.NDArray[np.float64]
Constraint = Literal["free", "non_negative", "simplex"]


@dataclass(frozen=True)
class Moments:
    """gram: (K, K) mean of M_j M_k; cross: (K,) mean of M_k y; target: mean of y^2."""

    gram: Doubles
    cross: Doubles
    target: float

    @classmethod
    def of(cls, outputs: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> "Moments":
        """Moments of (N, K) member outputs and (N,) targets."""
        x, y = outputs.astype(np.float64), target.astype(np.float64)
        return cls(x.T @ x / len(y), x.T @ y / len(y), float(y @ y / len(y)))

    def error(self, weights: Doubles) -> float:
        """1/N sum (y - sum_k w_k M_k)^2."""
        return float(self.target - 2 * self.cross @ weights + weights @ self.gram @ weights)


def solve(moments: Moments, constraint: Constraint = "free", l1: float = 0.0, l2: float = 0.0) -> Doubles:
    """The minimum without iteration on a step size: normal equations, active sets or exact coordinate steps.

    Returns:
        (K,) weights.
    """
    gram = moments.gram + l2 * np.eye(len(moments.cross))
    if constraint == "simplex":
        return _simplex_minimum(gram, moments.cross, moments.target)
    if constraint == "free" and l1 == 0.0:
        return np.asarray(np.linalg.lstsq(gram, moments.cross, rcond=None)[0], dtype=np.float64)
    return _by_coordinates(gram, moments.cross, l1, positive=constraint == "non_negative")


def descend(
    moments: Moments,
    constraint: Constraint = "free",
    l1: float = 0.0,
    l2: float = 0.0,
    steps: int = 50_000,
    tolerance: float = 1e-13,
) -> Doubles:
    """The same minimum by projected gradient descent with momentum, restarted when it overshoots.

    Returns:
        (K,) weights.
    """
    gram = moments.gram + l2 * np.eye(len(moments.cross))
    rate = 1.0 / max(2.0 * float(np.linalg.eigvalsh(gram)[-1]), np.finfo(float).tiny)
    weights = _project(np.full(len(gram), 1.0 / len(gram)), constraint, 0.0)
    ahead, momentum = weights, 1.0
    for _ in range(steps):
        gradient = 2.0 * (gram @ ahead - moments.cross)
        new = _project(ahead - rate * gradient, constraint, rate * l1)
        if np.abs(new - ahead).max() < tolerance:
            return new
        if (ahead - new) @ (new - weights) > 0:
            ahead, momentum = new, 1.0
        else:
            grown = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
            ahead, momentum = new + (momentum - 1.0) / grown * (new - weights), grown
        weights = new
    return weights


def onto_simplex(point: Doubles) -> Doubles:
    """The nearest (K,) point with no negative part and sum 1."""
    falling = np.sort(point)[::-1]
    excess = (np.cumsum(falling) - 1.0) / np.arange(1, len(point) + 1)
    shift = excess[np.flatnonzero(falling > excess)[-1]]
    nearest: Doubles = np.maximum(point - shift, 0.0)
    return nearest


def _project(point: Doubles, constraint: Constraint, threshold: float) -> Doubles:
    if constraint == "simplex":  # the L1 norm is 1 everywhere on the simplex
        return onto_simplex(point)
    shrunk: Doubles = np.sign(point) * np.maximum(np.abs(point) - threshold, 0.0)
    return np.maximum(shrunk, 0.0) if constraint == "non_negative" else shrunk


def _simplex_minimum(gram: Doubles, cross: Doubles, target: float) -> Doubles:
    """On the simplex the error is |B w|^2 with B = M - y; min |B u|^2 + (1 - sum u)^2 over u >= 0 points the same way.

    With u = s w the second problem is s^2 q + (1 - s)^2, whose minimum over s, q / (1 + q), rises with q = |B w|^2.
    """
    about = gram - cross[:, None] - cross[None, :] + target
    values, vectors = np.linalg.eigh(about / max(float(np.trace(about)), np.finfo(float).tiny))
    factor = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    system = np.vstack([factor, np.ones(len(gram))])
    ray = nnls(system, np.append(np.zeros(len(gram)), 1.0))[0]
    weights: Doubles = ray / ray.sum()
    return weights


def _by_coordinates(gram: Doubles, cross: Doubles, l1: float, positive: bool, sweeps: int = 20_000) -> Doubles:
    """Exact minimisation along one weight after another until none moves; zeros are exact."""
    weights = np.zeros(len(cross))
    for _ in range(sweeps):
        moved = 0.0
        for k in np.flatnonzero(np.diag(gram) > 0):
            pull = cross[k] - gram[k] @ weights + gram[k, k] * weights[k]
            size = max(abs(pull) - l1 / 2.0, 0.0)
            new = 0.0 if positive and pull < 0 else np.sign(pull) * size / gram[k, k]
            moved, weights[k] = max(moved, abs(new - weights[k])), new
        if moved < 1e-14:
            break
    return weights
