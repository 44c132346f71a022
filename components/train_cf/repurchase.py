"""The repurchase member: item-level intervals, and one small logistic model over a user's entries."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from components.common import columns as c
from components.common.config import Config
from components.common.moments import DAY
from components.common.prepared import Cut, Prepared, visit_items
from components.train_cf.export import write_member
from components.train_cf.histories import now_of, window_of
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from serving.arrays import Bools, Floats
from serving.members.history import HistoryWeights
from serving.members.repurchase import ARRAYS, FEATURES, Repurchase, features
from serving.states import UserStates

HABIT = np.array([0.0, 1.0, -0.5, *[0.0] * (len(FEATURES) - 2)], dtype=np.float32)  # often and lately, unfitted
HALVINGS = 12  # of a Newton step that would raise the loss

Doubles = npt.NDArray[np.float64]


class RepurchaseConfig(Config):
    """Numbers of the repurchase member."""

    prior_users: float = Field(default=5.0, gt=0, description="users of average habit added to each item's own")
    recent_half_life: float = Field(default=28.0, gt=0, description="a buyer counts half after this many days")
    reg: float = Field(default=1.0, gt=0, description="L2 weight of the standardised coefficients")
    steps: int = Field(default=12, ge=1, description="Newton steps of the logistic fit")


@dataclass(frozen=True)
class Examples:
    """Histories before a moment and which of their entries (nnz,) came again in what followed."""

    states: UserStates
    again: Bools


class RepurchaseTrainer:
    """Item habits from histories; coefficients from which entries came again in the last window of training."""

    def __init__(self, config: RepurchaseConfig) -> None:
        """Take the configuration."""
        self.config = config

    def train(self, examples: Examples, states: UserStates, n_items: int) -> Repurchase:
        """Fit on *examples*; serve with item habits from *states*, all that may be learned from.

        Where nothing came again in the examples there is nothing to fit: often and lately then decide.
        """
        if not examples.again.any():
            return Repurchase(*self.habits(states, n_items), HABIT)
        table = features(examples.states, *self.habits(examples.states, n_items)).astype(np.float64)
        mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-6)
        fitted = logistic((table - mean) / scale, examples.again, self.config.reg, self.config.steps)
        slopes = fitted[1:] / scale
        coefficients = np.concatenate([[fitted[0] - slopes @ mean], slopes]).astype(np.float32)
        return Repurchase(*self.habits(states, n_items), coefficients)

    def habits(self, states: UserStates, n_items: int) -> tuple[Floats, Floats, Floats]:
        """Usual interval in days, log-odds of coming again and log of recent buyers, each (n_items,)."""
        prior = self.config.prior_users
        often = states.first_at < states.last_at
        pairs = np.bincount(states.items, minlength=n_items)
        repeated = np.bincount(states.items[often], minlength=n_items)
        gaps = np.where(often, np.maximum(states.counts, 2) - 1, 0).astype(np.float64)
        days = np.bincount(states.items, weights=(states.last_at - states.first_at) / DAY, minlength=n_items)
        count = np.bincount(states.items, weights=gaps, minlength=n_items)
        usual = days.sum() / max(count.sum(), 1.0) if count.sum() else 28.0
        share = (repeated.sum() + 0.5) / (pairs.sum() + 1.0)
        rate = (repeated + prior * share) / (pairs + prior)
        interval = (days + prior * usual) / (count + prior)
        config = PopularityConfig(half_life=self.config.recent_half_life)
        recent = PopularityTrainer(config, HistoryWeights(clock="days")).train(states, n_items).scores
        return interval.astype(np.float32), np.log(rate / (1 - rate)).astype(np.float32), recent

    def write(self, member: Repurchase, folder: Path) -> None:
        """Write the member's folder."""
        arrays: dict[str, npt.NDArray[Any]] = {name: getattr(member, name) for name in ARRAYS}
        numbers = {"config": self.config.model_dump(mode="json"), "features": list(FEATURES)}
        write_member(folder, member.kind, numbers, arrays)


def examples_of(prepared: Prepared, cut: Cut) -> Examples:
    """Histories before the last window of the training events (temporal) or each user's last visit, and what came."""
    visits = visit_items(prepared.train(cut), prepared.shop)
    if cut.hold_out is None:
        moment = np.full(len(visits), now_of(prepared, cut) - window_of(prepared, cut))
    else:
        moment = visits.groupby(c.USER)["at"].transform("max").to_numpy()
    came = (visits["at"] >= moment).to_numpy()
    users = np.unique(visits.loc[~came, c.USER].to_numpy()).astype(np.int64)
    as_of = pd.Series(moment).groupby(visits[c.USER].to_numpy()).first().reindex(users).to_numpy(dtype=np.int64)
    states = UserStates.from_visits(visits[~came], users, as_of)
    n_items = len(prepared.items)
    key = users[states.row_of] * n_items + states.items
    next_key = visits.loc[came, c.USER].to_numpy(np.int64) * n_items + visits.loc[came, c.ITEM].to_numpy()
    return Examples(states, np.isin(key, next_key))


def logistic(table: Doubles, labels: Bools, reg: float, steps: int) -> Doubles:
    """(1 + k,) coefficients of an L2-regularised logistic fit by Newton's method, the free constant first."""
    design = np.column_stack([np.ones(len(table)), table])
    penalty = np.diag([1e-6, *[reg] * table.shape[1]])
    rate = (labels.sum() + 0.5) / (len(labels) + 1.0)
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(rate / (1 - rate))
    loss = _loss(design, labels, penalty, weights)
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (labels - chance) - penalty @ weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        move = np.linalg.solve(curve, gradient)
        for _ in range(HALVINGS):
            lower = _loss(design, labels, penalty, weights + move)
            if lower <= loss:
                weights, loss = weights + move, lower
                break
            move = move / 2
    return weights


def _loss(design: Doubles, labels: Bools, penalty: Doubles, weights: Doubles) -> float:
    """Negative log-likelihood plus half the penalty."""
    logits = design @ weights
    return float(np.logaddexp(0, logits).sum() - logits[labels].sum() + weights @ penalty @ weights / 2)
