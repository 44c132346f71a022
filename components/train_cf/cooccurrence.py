"""Sequence-aware co-occurrence in closed form: what users met in the same visit, soon after and soon before."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import sparse

from components.common import columns as c
from components.common.config import Config
from components.common.moments import DAY
from components.train_cf.export import write_neighbours
from components.train_cf.pruning import row_blocks, top_entries, without_diagonal
from serving.arrays import Floats, Longs
from serving.members.cooccurrence import Cooccurrence
from serving.members.history import HistoryWeights


class CooccurrenceConfig(Config):
    """Numbers of the co-occurrence member; tuned per shop."""

    window: int = Field(default=8, ge=0, description="how many visits apart two items still count as together")
    distance_power: float = Field(default=0.7, ge=0, description="a pair d visits apart counts d^-this")
    backward: float = Field(default=0.6, ge=0, le=1, description="weight of what came before, against what came after")
    same_visit: float = Field(default=1.0, ge=0, description="weight of a pair within one visit")
    visit_power: float = Field(default=0.5, ge=0, le=1, description="a visit's items count (size of the visit)^-this")
    own_power: float = Field(default=0.7, ge=0, le=1, description="damping by the history item's popularity")
    other_power: float = Field(default=0.3, ge=0, le=1, description="damping by the scored item's popularity")
    shrink: float = Field(default=5.0, ge=0, description="users added to both popularities before damping")
    half_life: float | None = Field(default=3.0, gt=0, description="asking: a history entry halves in so many units")
    learning_half_life: float | None = Field(default=None, gt=0, description="learning: a visit halves likewise")
    neighbours: int = Field(default=200, ge=1, description="neighbours kept per item")


@dataclass(frozen=True)
class Visits:
    """Every visit of every user, each user's in order.

    baskets: (n_visits, n_items) 1 where the visit holds the item. user: (n_visits,) code.
    length: (n_visits,) distinct items of the visit's user. age: (n_visits,) days or visits to the moment of training.
    """

    baskets: sparse.csr_matrix
    user: Longs
    length: Longs
    age: Floats

    @classmethod
    def of(cls, visits: pd.DataFrame, n_items: int, as_of: int, history: HistoryWeights) -> "Visits":
        """From the rows of `visit_items`."""
        user, number = visits[c.USER].to_numpy(), visits[c.VISIT].to_numpy()
        new = np.ones(len(visits), dtype=bool)
        new[1:] = (np.diff(user) != 0) | (np.diff(number) != 0)
        starts = np.flatnonzero(new)
        indptr = np.append(starts, len(visits)).astype(np.int64)
        data = np.ones(len(visits), dtype=np.float32)
        baskets = sparse.csr_matrix((data, visits[c.ITEM].to_numpy(), indptr), shape=(len(starts), n_items))
        length = visits.groupby(c.USER)[c.ITEM].transform("nunique").to_numpy(dtype=np.int64)[starts]
        owner = user[starts].astype(np.int64)
        if history.clock == "days":
            age = (as_of - visits["at"].to_numpy()[starts]) / DAY
        else:
            last = pd.Series(np.arange(len(starts))).groupby(owner).transform("max").to_numpy()
            age = last - np.arange(len(starts))
        return cls(baskets, owner, length, np.maximum(age, 0).astype(np.float32))


class CooccurrenceTrainer:
    """G[i, j] = sum over users of direction * |visit_i - visit_j|^-a / log2(items + 2), damped by popularity."""

    def __init__(self, config: CooccurrenceConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})

    def train(self, visits: Visits) -> Cooccurrence:
        """Count pairs, damp them, keep the best neighbours of each item."""
        config = self.config
        left, right = self._sides(visits)
        met = np.asarray(visits.baskets.sum(axis=0), dtype=np.float64).ravel()
        own, other = ((met + config.shrink) ** -power for power in (config.own_power, config.other_power))
        own[met == 0] = other[met == 0] = 0.0
        left = (left @ sparse.diags(own.astype(np.float32))).T.tocsr()
        right = (right @ sparse.diags(other.astype(np.float32))).tocsr()
        blocks = [
            top_entries(without_diagonal(block, rows), config.neighbours) for rows, block in row_blocks(left, right)
        ]
        return Cooccurrence(sparse.vstack(blocks, format="csr"), met > 0, self.history)

    def _sides(self, visits: Visits) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """(n_visits, n_items) twice: what a visit holds and what lies around it; pairs are left.T @ right."""
        config = self.config
        learning = 0.0 if config.learning_half_life is None else 1.0 / config.learning_half_life
        size = np.maximum(np.diff(visits.baskets.indptr), 1).astype(np.float64)
        damped = sparse.diags((size**-config.visit_power).astype(np.float32)) @ visits.baskets
        weight = np.exp2(-visits.age * learning) / np.log2(visits.length + 2)
        around = visit_links(visits.user, config)
        return (sparse.diags(weight.astype(np.float32)) @ damped).tocsr(), (around @ damped).tocsr()

    def write(self, member: Cooccurrence, folder: Path) -> None:
        """Write the member's folder."""
        write_neighbours(folder, member, self.config)


def visit_links(user: Longs, config: CooccurrenceConfig) -> sparse.csr_matrix:
    """(n_visits, n_visits) how much visit v hears of visit w: d^-a after, backward * d^-a before, 0 across users."""
    n = len(user)
    rows, columns, values = [np.arange(n)], [np.arange(n)], [np.full(n, config.same_visit)]
    for distance in range(1, config.window + 1):
        first = np.flatnonzero(user[:-distance] == user[distance:]) if distance < n else np.empty(0, np.int64)
        weight = float(distance) ** -config.distance_power
        rows += [first, first + distance]
        columns += [first + distance, first]
        values += [np.full(len(first), weight), np.full(len(first), weight * config.backward)]
    entries = (np.concatenate(values).astype(np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(n, n))
