"""Sequence-aware co-occurrence in closed form: what users met in the same visit, soon after and soon before."""

from collections.abc import Iterator
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
from components.train_cf.pruning import WORK, blocks_of, stacked, top_entries, without_diagonal
from serving.arrays import Floats, Ints, Longs
from serving.members.cooccurrence import Cooccurrence
from serving.members.history import HistoryWeights

REACH = 1_000  # entries before and after that an entry meets: the nearest of an endless basket, of a robot's day


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
    """Every entry (one user, visit and item) of every visit, each user's in order.

    item: (m,) catalogue rows. visit: (m,) which of the visits an entry belongs to. starts: (n_visits + 1,) where each
    visit's entries begin. first, last: (n_visits,) the first and last visit of the same user. length: (n_visits,)
    distinct items of the visit's user. age: (n_visits,) days or visits to the moment of training. by_item: (m,) the
    entries of item 0, then of item 1, ...; item_starts: (n_items + 1,) where each item's begin.
    """

    item: Ints
    visit: Ints
    starts: Longs
    first: Longs
    last: Longs
    length: Longs
    age: Floats
    by_item: Ints
    item_starts: Longs

    @classmethod
    def of(cls, visits: pd.DataFrame, n_items: int, as_of: int, history: HistoryWeights) -> "Visits":
        """From the rows of `visit_items`."""
        user, item = visits[c.USER].to_numpy(), visits[c.ITEM].to_numpy()
        new = np.ones(len(user), dtype=bool)
        new[1:] = (np.diff(user) != 0) | (np.diff(visits[c.VISIT].to_numpy()) != 0)
        opening = np.flatnonzero(new)
        owner = user[opening].astype(np.int64)
        first, last = np.searchsorted(owner, owner), np.searchsorted(owner, owner, side="right") - 1
        age = last - np.arange(len(opening), dtype=np.float64)
        if history.clock == "days":
            age = (as_of - visits["at"].to_numpy()[opening]) / DAY
        by_item, item_starts = _by_item(item, n_items)
        return cls(
            item=item.astype(np.int32),
            visit=np.cumsum(new, dtype=np.int32) - np.int32(1),
            starts=np.append(opening, len(user)).astype(np.int64),
            first=first,
            last=last,
            length=_distinct_items(user[by_item], item[by_item])[owner],
            age=np.maximum(age, 0).astype(np.float32),
            by_item=by_item,
            item_starts=item_starts,
        )


def _by_item(item: Longs, n_items: int) -> tuple[Ints, Longs]:
    """Entries in the order of their items, each item's as they came, and where each item's begin."""
    entries = np.arange(len(item) + 1, dtype=np.int32)
    turned = sparse.csr_matrix((entries[:-1], item, entries), shape=(len(item), n_items)).tocsc()
    return turned.data, turned.indptr.astype(np.int64)


def _distinct_items(user: Longs, item: Longs) -> Longs:
    """(highest user + 1,) distinct items of each user; entries stand by item, then by user."""
    new = np.ones(len(user), dtype=bool)
    new[1:] = (np.diff(user) != 0) | (np.diff(item) != 0)
    return np.bincount(user[new])


class CooccurrenceTrainer:
    """G[i, j] = sum over users of direction * |visit_i - visit_j|^-a / log2(items + 2), damped by popularity.

    An entry meets what stands within `window` visits of it and at most REACH entries before and after it: the work
    grows with the entries, not with the square of the longest history or basket.
    """

    def __init__(self, config: CooccurrenceConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})

    def train(self, visits: Visits) -> Cooccurrence:
        """Count pairs, damp them, keep the best neighbours of each item."""
        known = np.diff(visits.item_starts) > 0
        return Cooccurrence(stacked(self._neighbours(visits), len(known)), known, self.history)

    def _neighbours(self, visits: Visits) -> Iterator[sparse.csr_matrix]:
        """The neighbours of all items, a block of items at a time."""
        pairs = Pairs(visits, self.config)
        for start, end in blocks_of(pairs.work, WORK):
            found = without_diagonal(pairs.rows(start, end), np.arange(start, end))
            yield top_entries(found, self.config.neighbours)

    def write(self, member: Cooccurrence, folder: Path) -> None:
        """Write the member's folder."""
        write_neighbours(folder, member, self.config)


class Pairs:
    """Sums over pairs of entries, some items' rows at a time. work: (n_items,) pairs that each item's row adds up."""

    def __init__(self, visits: Visits, config: CooccurrenceConfig) -> None:
        """Weigh every entry as what was met and as what is met beside it, and find how far each looks."""
        self.visits, self.config = visits, config
        size = np.maximum(np.diff(visits.starts), 1).astype(np.float64) ** -config.visit_power
        learning = 0.0 if config.learning_half_life is None else 1.0 / config.learning_half_life
        told = size * np.exp2(-visits.age * learning) / np.log2(visits.length + 2)
        met = np.maximum(np.diff(visits.item_starts), 1) + config.shrink
        self.own = (told[visits.visit] * (met**-config.own_power)[visits.item]).astype(np.float32)
        other = (size[visits.visit] * (met**-config.other_power)[visits.item]).astype(np.float32)
        entries = np.arange(len(other) + 1, dtype=np.int32)
        self.items = sparse.csr_matrix((other, visits.item, entries), shape=(len(other), len(met)))
        self.near, self.count = _reach(visits, config.window)
        self.before = np.concatenate([[0], np.cumsum(self.count[visits.by_item], dtype=np.int64)])
        self.work: Longs = np.diff(self.before[visits.item_starts])
        self.lags = lag_weights(config)

    def rows(self, start: int, end: int) -> sparse.csr_matrix:
        """(end - start, n_items) the sums of the items [start, end); an item with too many pairs goes piecewise."""
        edges = self.visits.item_starts[start : end + 1]
        if self.before[edges[-1]] - self.before[edges[0]] <= WORK:
            return self._product(edges)
        entries = self.count[self.visits.by_item[edges[0] : edges[-1]]]
        pieces = (edges[0] + np.array(piece) for piece in blocks_of(entries, WORK))
        return sum((self._product(piece) for piece in pieces), sparse.csr_matrix((1, self.items.shape[1])))

    def _product(self, edges: Longs) -> sparse.csr_matrix:
        """(len(edges) - 1, n_items) row r sums over the entries by_item[edges[r]:edges[r + 1]]."""
        entries = self.visits.by_item[edges[0] : edges[-1]]
        count, ends = self.count[entries], self.before[edges[0] : edges[-1] + 1] - self.before[edges[0]]
        beside = np.repeat((self.near[entries] - ends[:-1]).astype(np.int32), count)
        beside += np.arange(len(beside), dtype=np.int32)
        lag = self.visits.visit[beside]
        lag -= np.repeat(self.visits.visit[entries] - np.int32(self.config.window), count)
        weight = self.lags[lag]
        weight *= np.repeat(self.own[entries], count)
        indptr = (self.before[edges] - self.before[edges[0]]).astype(np.int32)
        shape = (len(edges) - 1, self.items.shape[0])
        return sparse.csr_matrix((weight, beside, indptr), shape=shape) @ self.items


def lag_weights(config: CooccurrenceConfig) -> Floats:
    """(2 window + 1,) of a pair -window, ..., 0, ..., window visits apart: backward * d^-a, same_visit, d^-a."""
    after = np.arange(1, config.window + 1, dtype=np.float64) ** -config.distance_power
    return np.concatenate([config.backward * after[::-1], [config.same_visit], after]).astype(np.float32)


def _reach(visits: Visits, window: int) -> tuple[Ints, Ints]:
    """(m,) twice: the first entry that each entry meets, and how many follow on it; itself is one of them."""
    number = np.arange(len(visits.first))
    near = visits.starts[np.maximum(number - window, visits.first)][visits.visit]
    past = visits.starts[np.minimum(number + window, visits.last) + 1][visits.visit]
    entry = np.arange(len(visits.item))
    near, past = np.maximum(near, entry - REACH), np.minimum(past, entry + REACH + 1)
    return near.astype(np.int32), (past - near).astype(np.int32)
