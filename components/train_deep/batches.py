"""Steps of training as integer arrays: positions, their histories, and the items of one sampled softmax."""

from dataclasses import dataclass

import numpy as np

from components.train_deep.config import DeepConfig
from components.train_deep.histories import Entries, Positions, states_before
from serving.arrays import PAD, Floats, Ints, Longs


@dataclass(frozen=True)
class Step:
    """What one step of training sees.

    rows: (m,) distinct items. history: (b, l) places in `rows`, -1 = padding; ages: (b, l). choices: (s,) places in
    `rows` of the softmax's items; log_q: (s,) log of the chance that each is among them. seen: (k, 2) pairs of
    position and choice that the history rules out. targets: (b, t) numbers of choices, -1 = padding.
    """

    rows: Ints
    history: Ints
    ages: Ints
    choices: Ints
    log_q: Floats
    seen: Ints
    targets: Ints

    def arrays(self) -> tuple[Ints | Floats, ...]:
        """The fields in order."""
        return self.rows, self.history, self.ages, self.choices, self.log_q, self.seen, self.targets


class Sampler:
    """Draws steps from positions."""

    def __init__(self, entries: Entries, positions: Positions, n_items: int, config: DeepConfig) -> None:
        self.entries, self.positions, self.config, self.n_items = entries, positions, config, n_items
        self.rng = np.random.default_rng(config.seed)
        self.trained = np.unique(entries.item)
        share = np.bincount(positions.targets, minlength=n_items) / max(len(positions.targets), 1)
        self.share = share
        self.order: Longs = np.empty(0, dtype=np.int64)

    def __next__(self) -> Step:
        if not len(self.order):
            self.order = self._pass()
        rows, self.order = np.split(self.order, [self.config.batch_size])
        return self.step(np.sort(rows))

    def _pass(self) -> Longs:
        size = len(self.positions)
        if not self.config.user_balance:
            return self.rng.permutation(size)
        weight = np.bincount(self.positions.user)[self.positions.user] ** -self.config.user_balance
        return self.rng.choice(size, size=size, p=weight / weight.sum())

    def step(self, rows: Longs) -> Step:
        """The step of the positions *rows*."""
        at = self.positions.take(rows)
        history, ages = states_before(self.entries, at, self.config.length)
        used = max(1, int((history != PAD).sum(axis=1).max()))
        history, ages = history[:, -used:], ages[:, -used:]
        targets = self._targets(at)
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
            place[choices],
            self._log_q(choices, targets),
            _seen(number[history]),
            number[targets],
        )

    def _targets(self, at: Positions) -> Ints:
        sizes = np.diff(at.indptr)
        width = int(min(self.config.targets, sizes.max()))
        keys = self.rng.random(len(at.targets)) + np.repeat(np.arange(len(at)), sizes)
        shuffled = at.targets[np.argsort(keys)]
        columns = np.arange(width)
        place = at.indptr[:-1, None] + columns
        return np.where(columns < sizes[:, None], shuffled[np.minimum(place, len(shuffled) - 1)], PAD)

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


def _seen(numbers: Ints) -> Ints:
    row, column = np.nonzero(numbers != PAD)
    return np.stack([row, numbers[row, column]], axis=1).astype(np.int32)
