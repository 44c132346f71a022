"""Bayesian personalised ranking of what comes next, in PyTorch: sparse gradients, negatives shared by a batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from components.common.config import Config
from components.train_cf.als import one_thread
from components.train_cf.export import write_member
from serving.arrays import Floats, Ints, Longs
from serving.members.bpr import ARRAYS, Bpr
from serving.members.history import HistoryWeights
from serving.states import UserStates

Batch = tuple[Longs, Floats, Longs]
REACH = 40  # entries of a history that an example looks back on


class BprConfig(Config):
    """Numbers of the ranking model; some are tuned per shop. Work: steps * batch_size * (REACH + negatives)."""

    embedding_size: int = Field(default=64, ge=1, description="length of item vectors")
    steps: int = Field(default=1200, ge=1, description="gradient steps, each on batch_size examples")
    batch_size: int = Field(default=1024, ge=1, description="examples of one step")
    negatives: int = Field(default=256, ge=1, description="items not met, drawn for a batch and shared by it")
    popularity_power: float = Field(default=0.5, ge=0, le=1, description="a negative is drawn by users^this")
    learning_rate: float = Field(default=0.01, gt=0, description="of Adam, falling to 0 along a line")
    reg: float = Field(default=1e-4, ge=0, description="L2 weight of the vectors an example touches")
    half_life: float | None = Field(default=60.0, gt=0, description="a history entry halves in so many days or visits")
    seed: int = Field(default=0, ge=0, description="of the first vectors, the examples and the negatives")


@dataclass(frozen=True)
class Examples:
    """For each entry of each history that others precede, what its user had met before it.

    items, age, start: of all entries: catalogue row, age in days or visits, first entry of the same user. entry: (m,)
    the entries that are targets. end: (m,) the first entry of the target's own moment: nothing of it precedes. rate: of
    the decay.
    """

    items: Ints
    age: Floats
    start: Longs
    entry: Longs
    end: Longs
    rate: float

    @classmethod
    def of(cls, states: UserStates, history: HistoryWeights) -> "Examples":
        """All examples of the histories of all users."""
        number = np.arange(len(states.items))
        start = states.indptr[:-1][states.row_of]
        new = np.ones(len(number), dtype=bool)
        new[1:] = (np.diff(states.last_at) != 0) | (np.diff(states.row_of) != 0)
        end = np.maximum.accumulate(np.where(new, number, 0)) if len(number) else number
        entry = np.flatnonzero(end > start)
        age = states.age_days if history.clock == "days" else states.age.astype(np.float32)
        rate = 0.0 if history.half_life is None else 1.0 / history.half_life
        return cls(states.items, age, start, entry, end[entry], rate)

    def __len__(self) -> int:
        return len(self.entry)

    def batch(self, rows: Longs) -> tuple[Longs, Floats, Longs]:
        """History (b, REACH), newest last, its shares (b, REACH), each row summing to 1, and the target (b,)."""
        entry = self.entry[rows]
        back = self.end[rows][:, None] - np.arange(REACH, 0, -1)
        real = back >= self.start[entry][:, None]
        back = np.maximum(back, 0)
        weight = np.exp2(-np.maximum(self.age[back] - self.age[entry][:, None], 0) * self.rate) * real
        shares = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
        return (
            np.where(real, self.items[back], 0).astype(np.int64),
            shares.astype(np.float32),
            self.items[entry].astype(np.int64),
        )


class BprTrainer:
    """Raise log sigmoid(score(next) - score(not met)) with score(j) = bias_j + outputs_j . mean of inputs_i.

    The user's vector is folded in from the items met before, as serving does: no user is stored.
    """

    def __init__(self, config: BprConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})

    def train(self, states: UserStates, n_items: int) -> Bpr:
        """Learn from the histories of all users; items are catalogue rows below *n_items*."""
        met = np.bincount(states.items, minlength=n_items)
        examples = Examples.of(states, self.history)
        with one_thread():
            inputs, outputs = self._fit(examples, met)
        rows = outputs.detach().numpy()
        vectors, bias = np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, -1])
        return Bpr(inputs.detach().numpy(), vectors, bias, met > 0, self.history)

    def _fit(self, examples: Examples, met: Longs) -> tuple[torch.Tensor, torch.Tensor]:
        """(n_items, d) inputs and (n_items, d + 1) outputs, the bias last."""
        config = self.config
        random = np.random.default_rng(config.seed)
        inputs, outputs = (_vectors(random, len(met), config.embedding_size + extra) for extra in (0, 1))
        with torch.no_grad():
            outputs[:, -1] = 0.0
        optimiser = torch.optim.SparseAdam([inputs, outputs], lr=config.learning_rate)
        likely = met.astype(np.float64) ** config.popularity_power * (met > 0)
        drawn = np.cumsum(likely / max(likely.sum(), 1e-12))
        for step in range(config.steps if len(examples) else 0):
            optimiser.param_groups[0]["lr"] = config.learning_rate * (1 - step / config.steps)
            rows = random.integers(0, len(examples), config.batch_size)
            negatives = np.minimum(np.searchsorted(drawn, random.random(config.negatives)), len(met) - 1)
            optimiser.zero_grad()
            self._loss(examples.batch(rows), negatives, inputs, outputs).backward()  # type: ignore[no-untyped-call]
            optimiser.step()  # type: ignore[no-untyped-call]
        return inputs, outputs

    def _loss(
        self, batch: Batch, negatives: Longs, inputs: torch.nn.Parameter, outputs: torch.nn.Parameter
    ) -> torch.Tensor:
        """Mean of -log sigmoid(next - negative) over a batch of examples; a negative that is the next item is none."""
        history, shares, target = (torch.from_numpy(part) for part in batch)
        others = torch.from_numpy(negatives)
        users = (_rows(inputs, history) * shares.unsqueeze(2)).sum(dim=1)
        right, wrong = _rows(outputs, target), _rows(outputs, others)
        gap = ((users * right[:, :-1]).sum(dim=1) + right[:, -1]).unsqueeze(1) - (
            users @ wrong[:, :-1].T + wrong[:, -1]
        )
        counted = (target.unsqueeze(1) != others.unsqueeze(0)).float()
        loss = (torch.nn.functional.softplus(-gap) * counted).sum() / counted.sum().clamp(min=1.0)
        size = users.square().sum(dim=1).mean() + right.square().sum(dim=1).mean() + wrong.square().sum(dim=1).mean()
        total: torch.Tensor = loss + self.config.reg * size
        return total

    def write(self, member: Bpr, folder: Path) -> None:
        """Write the member's folder."""
        numbers = {"config": self.config.model_dump(mode="json"), "history": member.history.model_dump(mode="json")}
        write_member(folder, member.kind, numbers, {name: getattr(member, name) for name in ARRAYS})


def _vectors(random: np.random.Generator, count: int, size: int) -> torch.nn.Parameter:
    drawn = random.standard_normal((count, size), dtype=np.float32) * np.float32(0.1)
    return torch.nn.Parameter(torch.from_numpy(drawn))


def _rows(table: torch.nn.Parameter, rows: torch.Tensor) -> torch.Tensor:
    """The rows of *table*; their gradient is sparse."""
    return torch.nn.functional.embedding(rows, table, sparse=True)
