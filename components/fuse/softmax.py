"""Listwise weights: which blend makes the relevant items most likely under a softmax over the candidates.

loss(w) = mean over lists of -sum_j t_j log softmax(x_j · w), t = the list's relevance, summing to 1.
`fit_simplex` keeps w on the simplex (a softmax of free parameters) with one learned temperature beside it;
`fit_free` lets every weight take any sign, held back by l2. Both run L-BFGS in double precision: no randomness.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Listwise:
    """x: (n, c, D) features; share: (n, c) relevance, each row summing to 1; bar: (n, c) 0, or -inf for padding."""

    x: torch.Tensor
    share: torch.Tensor
    bar: torch.Tensor

    @classmethod
    def of(
        cls, x: npt.NDArray[np.floating], relevance: npt.NDArray[np.floating], valid: npt.NDArray[np.bool_]
    ) -> "Listwise":
        """Lists from (n, c, D) features, (n, c) non-negative relevance (some in every row) and (n, c) validity."""
        gained = np.where(valid, relevance, 0).astype(np.float64)
        share = gained / gained.sum(axis=1, keepdims=True)
        bar = np.where(valid, 0.0, -np.inf)
        return cls(torch.from_numpy(x.astype(np.float64)), torch.from_numpy(share), torch.from_numpy(bar))

    def loss(self, weights: torch.Tensor) -> torch.Tensor:
        """Mean listwise cross-entropy of (D,) weights."""
        scores = self.x @ weights
        relevant = (scores * self.share).sum(dim=1)
        return (torch.logsumexp(scores + self.bar, dim=1) - relevant).mean()


def fit_simplex(lists: Listwise, steps: int = 60) -> tuple[Doubles, float]:
    """(D,) weights >= 0 summing to 1, and the temperature's inverse that makes their blend a likelihood."""
    size = lists.x.shape[2]
    free = torch.zeros(size + 1, dtype=torch.float64)
    free[size] = float(np.log(10.0))

    def loss(values: torch.Tensor) -> torch.Tensor:
        return lists.loss(torch.softmax(values[:size], dim=0) * values[size].exp()) + 1e-6 * values.square().sum()

    found = _minimise(loss, free, steps)
    return torch.softmax(found[:size], dim=0).numpy(), float(found[size].exp())


def fit_free(lists: Listwise, l2: float = 1e-3, steps: int = 60) -> Doubles:
    """(D,) weights of any sign, held back by l2 times their squared length."""
    start = torch.ones(lists.x.shape[2], dtype=torch.float64)
    found: Doubles = _minimise(lambda w: lists.loss(w) + l2 * w.square().sum(), start, steps).numpy()
    return found


def _minimise(loss: Callable[[torch.Tensor], torch.Tensor], start: torch.Tensor, steps: int) -> torch.Tensor:
    values = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [values], max_iter=steps, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-5
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(values)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return values.detach()
