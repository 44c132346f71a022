"""Steps of training as integer arrays: positions, their histories, and the items of one sampled softmax."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from components.train_deep.config import DeepConfig
from components.train_deep.histories import Entries, Positions, states_before
from serving.arrays import PAD, Floats, Ints, Longs
from serving.members.sequence import visit_ages

POOL = 4096  # windows that are sorted by width together


@dataclass(frozen=True)
class Step:
    """What one step of training sees.

    rows: (m,) distinct items. history: (b, l) places in `rows`, -1 = padding; ages: (b, l). reads: (p,) numbers of the
    moments that are learned from, row by row: l a row where the tower reads at every entry, else 1. choices: (s,)
    places in `rows` of the softmax's items; log_q: (s,) log of the chance that each is among them. seen: (k, 2) pairs
    of position and choice that the history rules out. targets: (p, t) numbers of choices, -1 = padding; tasks: (p, t)
    what each was wanted for.
    """

    rows: Ints
    history: Ints
    ages: Ints
    reads: Ints
    choices: Ints
    log_q: Floats
    seen: Ints
    targets: Ints
    tasks: Ints

    def arrays(self) -> tuple[Ints | Floats, ...]:
        """The fields in order."""
        return (
            self.rows,
            self.history,
            self.ages,
            self.reads,
            self.choices,
            self.log_q,
            self.seen,
            self.targets,
            self.tasks,
        )


class Sampler(ABC):
    """Draws steps from positions."""

    def __init__(self, entries: Entries, positions: Positions, n_items: int, config: DeepConfig) -> None:
        self.entries, self.positions, self.config, self.n_items = entries, positions, config, n_items
        self.rng = np.random.default_rng(config.seed)
        self.trained = np.unique(entries.item)
        share = np.bincount(positions.targets, minlength=n_items) / max(len(positions.targets), 1)
        self.share = share
        self.queue: list[Longs] = []

    def __next__(self) -> Step:
        if not self.queue:
            self.queue = self._pass()
        return self.step(self.queue.pop())

    @abstractmethod
    def step(self, batch: Longs) -> Step:
        """The step of one batch: positions, or windows of entries."""

    @abstractmethod
    def _pass(self) -> list[Longs]:
        """The batches of one pass, the last one first."""

    def _step(self, at: Positions, history: Ints, ages: Ints, reads: Ints, before: Ints) -> Step:
        """history (b, l) items, -1 = padding; before (p, l) items that are known when each position is read."""
        targets, tasks = self._targets(at)
        choices = self._choices(targets)
        items = np.union1d(choices, history[history != PAD]).astype(np.int32)
        place = np.full(self.n_items + 1, PAD, dtype=np.int32)
        place[items] = np.arange(len(items))
        number = np.full(self.n_items + 1, PAD, dtype=np.int32)
        number[choices] = np.arange(len(choices))
        return Step(
            items,
            place[history],
            ages,
            reads,
            place[choices],
            self._log_q(choices, targets),
            _seen(number[before]),
            number[targets],
            tasks,
        )

    def _targets(self, at: Positions) -> tuple[Ints, Ints]:
        sizes = np.diff(at.indptr)
        width = int(min(self.config.targets, sizes.max()))
        order = np.argsort(self.rng.random(len(at.targets)) + np.repeat(np.arange(len(at)), sizes))
        columns = np.arange(width)
        place = order[np.minimum(at.indptr[:-1, None] + columns, len(order) - 1)]
        there = columns < sizes[:, None]
        return np.where(there, at.targets[place], PAD), np.where(there, at.tasks[place], 0)

    def _choices(self, targets: Ints) -> Ints:
        if self.full:
            return self.trained
        drawn = self.rng.choice(self.trained, size=self.config.negatives, replace=False)
        return np.union1d(drawn, targets[targets != PAD]).astype(np.int32)

    @property
    def full(self) -> bool:
        """Does the softmax hold every trained item."""
        return self.config.negatives >= len(self.trained)

    def _log_q(self, choices: Ints, targets: Ints) -> Floats:
        if self.full:
            return np.zeros(len(choices), dtype=np.float32)
        missed = (1 - self.share[choices]) ** (targets != PAD).sum()
        drawn = self.config.negatives / len(self.trained)
        return np.asarray(np.log(1 - missed * (1 - drawn)), dtype=np.float32)


class PositionSampler(Sampler):
    """One row a position: exactly the state that serving would hold just before it."""

    def _pass(self) -> list[Longs]:
        size = len(self.positions)
        order = self.rng.permutation(size)
        if self.config.user_balance:
            weight = np.bincount(self.positions.user)[self.positions.user] ** -self.config.user_balance
            order = self.rng.choice(size, size=size, p=weight / weight.sum())
        return [np.sort(rows) for rows in np.split(order, range(self.config.batch_size, size, self.config.batch_size))]

    def step(self, batch: Longs) -> Step:
        """The step of the positions *batch*."""
        at = self.positions.take(batch)
        history, ages = states_before(self.entries, at, self.config.length)
        used = max(1, int((history != PAD).sum(axis=1).max()))
        history, ages = history[:, -used:], ages[:, -used:]
        return self._step(at, history, ages, np.arange(len(at), dtype=np.int32), history)


class SequenceSampler(Sampler):
    """One row a window of a user's items in the order of meeting: all its positions are learned in one pass."""

    def __init__(self, entries: Entries, positions: Positions, n_items: int, config: DeepConfig) -> None:
        super().__init__(entries, positions, n_items, config)
        self.windows = windows_of(entries, positions, config.length)

    def _pass(self) -> list[Longs]:
        """Windows in a random order, neighbours of like width, about `batch_size` positions a batch."""
        order = self.rng.permutation(len(self.windows.start))
        pool = self.rng.permutation(len(order)) // POOL
        order = order[np.lexsort((self.windows.width[order], pool))]
        total = np.cumsum(self.windows.positions[order])
        batches = np.split(order, np.flatnonzero(np.diff(total // self.config.batch_size)) + 1)
        return [batches[number] for number in self.rng.permutation(len(batches))]

    def step(self, batch: Longs) -> Step:
        """The step of the windows *batch*."""
        start, width = self.windows.start[batch], self.windows.width[batch]
        longest = int(width.max())
        column = np.arange(longest) - longest + width[:, None]
        entry = np.maximum(start[:, None] + column, 0)
        history = np.where(column >= 0, self.entries.item[entry], PAD)
        ages = visit_ages(np.where(column >= 0, self.entries.visit[entry], PAD))
        first = self.windows.indptr[batch]
        counts = self.windows.positions[batch]
        row = np.repeat(np.arange(len(batch)), counts)
        at = self.positions.take(np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum()))
        read = at.first - 1 - start[row] + longest - width[row]
        before = np.where(np.arange(longest) <= read[:, None], history[row], PAD)
        return self._step(at, history, ages, (row * longest + read).astype(np.int32), before)


@dataclass(frozen=True)
class Windows:
    """Stretches of entries, each with the positions that are read inside it.

    start: (w,) first entry. width: (w,) entries. indptr: (w,) first position. positions: (w,) how many.
    """

    start: Longs
    width: Longs
    indptr: Longs
    positions: Longs


def windows_of(entries: Entries, positions: Positions, length: int) -> Windows:
    """Windows of at most *length* entries in which every position is read once, with half of that before it or all."""
    begin = entries.starts[positions.user]
    step = max(1, length // 2)
    number = np.maximum(0, (positions.first - 1 - begin - length) // step + 1)
    key = positions.user * (number.max(initial=0) + 1) + number
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    start = (begin + number * step)[first]
    last = positions.first[first + counts - 1] - 1
    return Windows(start, last + 1 - start, first, counts)


def _seen(numbers: Ints) -> Ints:
    row, column = np.nonzero(numbers != PAD)
    return np.stack([row, numbers[row, column]], axis=1).astype(np.int32)
