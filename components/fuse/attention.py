"""Attention: a network corrects the head of the linear blend, reading what trees read and the user's history.

Listwise loss over the heads of lists, from the linear score on: the last layer starts at zero. Too many passes learn
the window by heart, so that their number is fixed, and several networks are averaged (serving.attention).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from components.fuse.adamw import AdamW
from components.fuse.lists import Lists
from components.fuse.second_level import DEPTH, FEWEST_LISTS, SecondLevel, Start
from serving.arrays import Floats
from serving.attention import SEEN, VIEWS, Attention, Look, Net, Row, inputs, reciprocal
from serving.blend import Blend
from serving.trees import UNKNOWN, columns_of

UNITS, DROPOUT = 16, 0.2
EPOCHS, BATCH = 16, 64
BRIEF = 3  # epochs of networks that begin as others end
MOST_STEPS = 800  # however many lists there are
LEARNING_RATE, DECAY = 3e-3, 1e-3
TEMPERATURES = (2.0, 6.0, 12.0)
FADES = ((-0.15, 0.0), (0.0, 0.0), (-0.3, 0.5))
FEWEST_SPREAD = 1e-3
LEAST = -80.0  # exponent of a weight: below, exp ends in numbers that processors are slow at, and the sum is not moved


def attention(lists: Lists, start: Start, seeds: int, seed: int, begin: Attention | None = None) -> Blend:
    """The linear blend of *start* fitted on all lists, and networks over it.

    Args:
        lists: with the context and the traces of the moment.
        start: the method to start from.
        seeds: networks averaged.
        seed: of where the networks start and of the order of the lists.
        begin: networks over the same members and others, to begin from; they need few passes. None: from nothing.
    """
    if len(lists) < FEWEST_LISTS:
        return start.linear(lists).model_copy(update={"kind": "attention"})
    base, second = start.of(lists)
    begin = None if begin is None else only(begin, lists.members)
    center, scale = _spread(second.columns, len(lists.members)) if begin is None else (begin.center, begin.scale)
    read = inputs(second.columns, len(lists.members), center, scale)
    first = (None,) * seeds if begin is None else begin.nets[:seeds]
    epochs = EPOCHS if begin is None else BRIEF
    fitted = tuple(_fit(read, second, seed + number, epochs, net) for number, net in enumerate(first))
    found = Attention(members=lists.members, depth=DEPTH, center=center, scale=scale, nets=fitted)
    return base.model_copy(update={"kind": "attention", "attention": found})


def only(networks: Attention, members: tuple[str, ...]) -> Attention:
    """The networks without what they read of other members than *members*."""
    columns = columns_of(networks.members)
    owner = [*(name.partition(":")[2] for name in columns), *networks.members]  # whether a member scored is read, too
    kept = np.flatnonzero([not name or name in members for name in owner])
    of_columns = kept[kept < len(columns)]

    def of_unit(row: Row) -> Row:
        return (*(row[place] for place in kept), *row[len(owner) :])

    return Attention(
        members=members,
        depth=networks.depth,
        center=tuple(networks.center[place] for place in of_columns),
        scale=tuple(networks.scale[place] for place in of_columns),
        nets=tuple(net.model_copy(update={"hidden": tuple(map(of_unit, net.hidden))}) for net in networks.nets),
    )


def _spread(columns: Floats, members: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and standard deviations of the columns, over what is known."""
    flat = reciprocal(columns, members).reshape(-1, columns.shape[2]).astype(np.float64)
    known = columns.reshape(flat.shape) > UNKNOWN
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, flat, 0).sum(axis=0) / counts
    spread = np.sqrt(np.where(known, (flat - mean) ** 2, 0).sum(axis=0) / counts)
    return tuple(mean.tolist()), tuple((spread + FEWEST_SPREAD).tolist())


def _fit(read: Floats, second: SecondLevel, seed: int, epochs: int, begin: Net | None = None) -> Net:
    """One network, trained on one thread so that the same seed gives the same numbers."""
    share = second.grades / second.grades.sum(axis=1, keepdims=True)
    with _alone(seed):
        net = Network(read.shape[2])
        if begin is not None:
            net.become(begin)
        search = AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
        for rows in _batches(len(second), seed, epochs):
            scores = net(_tensor(read[rows]), second.look.take(rows)) + _tensor(second.linear[rows])
            loss = -(_tensor(share[rows]) * scores.log_softmax(dim=1)).sum(dim=1).mean()
            search.step(loss)
    return net.numbers()


def _batches(n: int, seed: int, epochs: int) -> Iterator[npt.NDArray[np.intp]]:
    random = np.random.default_rng(seed)
    passes = (rows for _ in range(epochs) for rows in np.array_split(random.permutation(n), max(n // BATCH, 1)))
    yield from islice(passes, MOST_STEPS)


class Network(torch.nn.Module):
    """What serving.attention computes, with gradients."""

    def __init__(self, width: int) -> None:
        """*width*: inputs beside what is seen of the history."""
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.tensor(TEMPERATURES))
        self.fade = torch.nn.Parameter(torch.tensor(FADES))
        self.hidden = torch.nn.Linear(width + SEEN, UNITS)
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.out = torch.nn.Linear(UNITS, 1)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)

    def forward(self, read: torch.Tensor, look: Look) -> torch.Tensor:
        """(n, m) what is added; read: (n, m, width)."""
        seen = torch.cat([read, self.seen(look)], dim=2)
        said: torch.Tensor = self.out(self.dropout(torch.tanh(self.hidden(seen))))
        return said[:, :, 0]

    def seen(self, look: Look) -> torch.Tensor:
        """(n, m, SEEN) what the history says of every candidate."""
        if look.near.shape[2] == 0:
            return torch.zeros((*look.near.shape[:2], SEEN))
        near, marks = _tensor(look.near), _tensor(look.marks)
        bar = torch.where(torch.from_numpy(look.known), 0.0, -1e9)[:, None, :]
        parts = []
        for view in range(VIEWS):
            at = near * self.temperature[view] + (marks @ self.fade[view])[:, None, :] + bar
            highest = at.max(dim=2, keepdim=True).values.detach()
            weight = (at - highest).clamp(min=LEAST).exp()
            total = weight.sum(dim=2, keepdim=True)
            share = weight / total
            age = (share @ marks[:, :, :1])[:, :, 0]
            parts += [(share * near).sum(dim=2), age / 3, (total.log() + highest)[:, :, 0] / 5]
        parts.append((near + bar).max(dim=2).values)
        known = torch.from_numpy(look.known.any(axis=1))[:, None, None]
        return torch.where(known, torch.stack(parts, dim=2), 0.0)

    def become(self, net: Net) -> None:
        """Take over the numbers of *net*."""
        hidden, out = torch.tensor(net.hidden), torch.tensor(net.out)
        with torch.no_grad():
            self.temperature.copy_(torch.tensor(net.temperature))
            self.fade.copy_(torch.tensor(net.fade))
            self.hidden.weight.copy_(hidden[:, :-1])
            self.hidden.bias.copy_(hidden[:, -1])
            self.out.weight.copy_(out[None, :-1])
            self.out.bias.copy_(out[-1:])

    def numbers(self) -> Net:
        """The network as it serves."""
        hidden = torch.cat([self.hidden.weight, self.hidden.bias[:, None]], dim=1)
        out = torch.cat([self.out.weight[0], self.out.bias])
        return Net(
            temperature=_row(self.temperature),
            fade=tuple(map(_row, self.fade)),
            hidden=tuple(map(_row, hidden)),
            out=_row(out),
        )


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """One thread, and a state of torch's random numbers that is put back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _tensor(array: npt.NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _row(values: torch.Tensor) -> tuple[float, ...]:
    return tuple(values.detach().tolist())
