"""A small network that corrects the head of a linear blend: it looks from each candidate at the user's history.

It reads what the trees read (serving.trees), and how near the candidate is to what the user did last: attention by
cosine, at a few learned temperatures, that fades with age. Cosines do not change when vectors are trained again and
come out rotated, so what was learned on older members holds for newer ones. Only the `depth` best candidates of the
linear blend are corrected; the others keep their order, below them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from components.common.config import Config
from serving import kernels
from serving.arrays import Floats
from serving.context import CONTEXT
from serving.traces import MARKS, Traces
from serving.trees import UNKNOWN, columns_of

VIEWS = 3  # temperatures at which a history is looked at
BY_VIEW = 3  # what each view tells: the mean nearness, the mean age, how much was seen
SEEN = VIEWS * BY_VIEW + 1  # and the nearest entry
FURTHEST = 4.0  # standard deviations; what lies beyond is drawn in
RANK_OFFSET = 5.0
USERS = 8  # of which histories are looked at at once: what that takes stays in the cache
Row = tuple[float, ...]
Rows = Annotated[tuple[Row, ...], Field(min_length=1)]


class Net(Config):
    """temperature: by view. fade: by view, of the marks of an entry. hidden: rows of weights, then bias. out: same."""

    temperature: Row = Field(min_length=VIEWS, max_length=VIEWS)
    fade: Rows = Field(description="VIEWS rows of MARKS numbers")
    hidden: Rows = Field(description="units: one number by input, then the bias")
    out: Row = Field(description="one number by unit, then the bias")

    @model_validator(mode="after")
    def _fits(self) -> "Net":
        if len(self.fade) != VIEWS or any(len(row) != MARKS for row in self.fade):
            raise ValueError(f"fade must have {VIEWS} rows of {MARKS} numbers")
        if len({len(row) for row in self.hidden}) != 1 or len(self.out) != len(self.hidden) + 1:
            raise ValueError(f"found {len(self.hidden)} units and {len(self.out)} outputs; expected one more output")
        return self


class Attention(Config):
    """Networks whose answers are averaged. Inputs: see `inputs` and `Look`."""

    members: tuple[str, ...]
    context: tuple[str, ...] = CONTEXT
    depth: int = Field(50, ge=1, description="candidates of the linear blend that are corrected")
    center: Row = Field(description="by column of the trees: z = (x - center) / scale")
    scale: Row = Field(description="by column, above 0")
    nets: Annotated[tuple[Net, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> "Attention":
        if self.context != CONTEXT:
            raise ValueError(f"the network reads the context {self.context}; this version gives {CONTEXT}")
        columns = len(columns_of(self.members))
        if len(self.center) != columns or len(self.scale) != columns or min(self.scale) <= 0:
            raise ValueError(f"found {len(self.center)} centers; expected {columns}, and scales above 0")
        width = columns + len(self.members) + SEEN + 1
        if any(len(net.hidden[0]) != width for net in self.nets):
            raise ValueError(f"units of the network must read {width - 1} inputs and a bias")
        return self

    @cached_property
    def arrays(self) -> "Arrays":
        """The networks as arrays."""
        return Arrays.of(self)

    def added(self, columns: Floats, traces: Traces | None) -> Floats:
        """What the networks add to the candidates of the head.

        Args:
            columns: (n, m, len(columns_of)) what the trees read.
            traces: of the users, beside those m candidates; None: nothing is known.

        Returns:
            (n, m) float32.
        """
        arrays, n = self.arrays, len(columns)
        if kernels.there and arrays.packed is not None and traces is not None:
            known = traces.vectors, traces.items, traces.marks, traces.candidates
            return kernels.attend(columns, len(self.members), arrays.packed, *known)
        read = inputs(columns, len(self.members), arrays.center, arrays.scale)
        look = Look.of(traces) if traces is not None else Look.nothing(*columns.shape[:2])
        pieces = [slice(start, start + USERS) for start in range(0, n, USERS)]
        said = [arrays.say(read[rows], Look(look.near[rows], look.marks[rows], look.known[rows])) for rows in pieces]
        return np.concatenate([np.empty((0, columns.shape[1]), np.float32), *said])


def inputs(columns: Floats, members: int, center: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    """(n, m, C + K): the trees' columns standardised, ranks by their reciprocals, 0 where unknown; and what is."""
    unknown = columns <= UNKNOWN
    z = (reciprocal(columns, members) - np.asarray(center, np.float32)) / np.asarray(scale, np.float32)
    z = np.where(unknown, 0, np.clip(z, -FURTHEST, FURTHEST))
    return np.concatenate([z, unknown[:, :, :members]], axis=2).astype(np.float32)


def reciprocal(columns: Floats, members: int) -> Floats:
    """The columns with the members' ranks r as 1 / (r + 5)."""
    found = columns.copy()
    ranks = found[:, :, members : 2 * members]
    found[:, :, members : 2 * members] = np.where(ranks > 0, 1 / (np.maximum(ranks, 1) + RANK_OFFSET), ranks)
    return found


@dataclass(frozen=True)
class Look:
    """near: (n, m, h) cosines of candidates and entries. marks: (n, h, 2) of entries. known: (n, h) is it an entry."""

    near: Floats
    marks: Floats
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, traces: Traces) -> "Look":
        """From histories and candidates."""
        return cls(traces.near(), traces.marks, traces.known)

    @classmethod
    def nothing(cls, n: int, m: int) -> "Look":
        """Of users without any history."""
        none = np.zeros((n, 0), dtype=bool)
        return cls(np.zeros((n, m, 0), np.float32), np.zeros((n, 0, MARKS), np.float32), none)

    def take(self, rows: npt.NDArray[np.intp]) -> "Look":
        """The users *rows*, without the padding that the others needed."""
        known = self.known[rows]
        wide = int(known.sum(axis=1).max(initial=0))  # entries come first
        return Look(self.near[rows, :, :wide], self.marks[rows, :wide], known[:, :wide])


@dataclass(frozen=True)
class Arrays:
    """The networks as arrays: center, scale of their inputs; temperature (V,) and fade (V, MARKS) of all their views.

    hidden, out: by network, (inputs, units) and (units,), with the biases.
    """

    center: Floats
    scale: Floats
    temperature: Floats
    fade: Floats
    hidden: list[tuple[Floats, Floats]]
    out: list[tuple[Floats, np.float32]]

    @classmethod
    def of(cls, ensemble: Attention) -> "Arrays":
        """Lay the networks out."""
        hidden = [np.array(net.hidden, np.float32) for net in ensemble.nets]
        out = [np.array(net.out, np.float32) for net in ensemble.nets]
        return cls(
            np.array(ensemble.center, np.float32),
            np.array(ensemble.scale, np.float32),
            np.array([net.temperature for net in ensemble.nets], np.float32).ravel(),
            np.array([net.fade for net in ensemble.nets], np.float32).reshape(-1, MARKS),
            [(np.ascontiguousarray(rows[:, :-1].T), rows[:, -1]) for rows in hidden],
            [(row[:-1], np.float32(row[-1])) for row in out],
        )

    @cached_property
    def packed(self) -> kernels.Nets | None:
        """The same for the compiled loop; None: the networks are not of one size."""
        sizes = {len(bias) for _, bias in self.hidden}
        if len(sizes) > 1:
            return None
        hidden, bias = (np.ascontiguousarray(np.stack(parts)) for parts in zip(*self.hidden, strict=True))
        out, last = (np.stack(parts).astype(np.float32) for parts in zip(*self.out, strict=True))
        return kernels.Nets(self.center, self.scale, self.temperature, self.fade, hidden, bias, out, last)

    def say(self, read: Floats, look: Look) -> Floats:
        """(n, m) the mean of what the networks add."""
        views, nearest = self._seen(look)
        said = np.zeros(read.shape[:2], dtype=np.float32)
        for number, ((hidden, hidden_bias), (out, out_bias)) in enumerate(zip(self.hidden, self.out, strict=True)):
            own = views[:, :, number * VIEWS * BY_VIEW : (number + 1) * VIEWS * BY_VIEW]
            on = np.tanh(np.concatenate([read, own, nearest], axis=2) @ hidden + hidden_bias)
            said += on @ out + out_bias
        return np.asarray(said / len(self.hidden), dtype=np.float32)

    def _seen(self, look: Look) -> tuple[Floats, Floats]:
        """(n, m, V * BY_VIEW) what every view tells, and (n, m, 1) the nearest entry; 0 for users without a history."""
        n, m, h = look.near.shape
        if h == 0:
            return np.zeros((n, m, len(self.fade) * BY_VIEW), np.float32), np.zeros((n, m, 1), np.float32)
        bar = np.where(look.known, 0, np.float32(-1e9))
        ages = np.ascontiguousarray(look.marks[:, :, 0])
        at = look.near[:, None] * self.temperature[:, None, None]  # (n, V, m, h)
        at += (np.matmul(look.marks, self.fade.T).transpose(0, 2, 1) + bar[:, None])[:, :, None]
        highest = at.max(axis=3)
        at -= highest[..., None]
        weight = np.exp(at, out=at)
        sums = weight.sum(axis=3)
        near = np.einsum("nvmh,nmh->nvm", weight, look.near) / sums
        age = np.einsum("nvmh,nh->nvm", weight, ages) / sums
        views = np.stack([near, age / 3, (np.log(sums) + highest) / 5], axis=2)  # (n, V, BY_VIEW, m)
        nearest = (look.near + bar[:, None]).max(axis=2)[:, :, None]
        some = look.known.any(axis=1).reshape(n, 1, 1)
        return np.where(some, views.reshape(n, -1, m).transpose(0, 2, 1), 0), np.where(some, nearest, 0)
