"""A context-gated blend: listwise weights that a small network moves with the context, still one weight per member.

score = x · (w + sum over h of tanh(a_h · z + b_h) out_h). `out` starts at zero, so the search starts at the static
blend of components.fuse.heads; it ends where lists that were held out no longer gain. That is done once per fold and
the gates are averaged: their units simply stand side by side. Full-batch L-BFGS on the exact gradient, and nothing is
drawn but the folds and the units' first directions: the same lists give the same blend.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from components.fuse.heads import Heads, Learn, head_weights, varying
from components.fuse.lists import USED, Lists, table
from serving.arrays import Bools, Floats, Longs
from serving.blend import Blend
from serving.context import CONTEXT
from serving.gate import Gate

Doubles = npt.NDArray[np.float64]
UNITS, FOLDS = 8, 5
MOVE_L2, INNER_L2, OUT_L2 = 1e-2, 1e-3, 1e-2  # what holds back: the shift of w, the a_h, the out_h
STEPS, PATIENCE = 40, 6
MOST_LISTS = 1_200  # that one net learns from; past them each net draws its own
FEWEST_GROUPS = 50  # with fewer users or queries to learn from the blend stays static


def network(lists: Lists, seed: int, folds: int = FOLDS, learn: Learn = head_weights) -> Blend:
    """Listwise weights with a gate over the context; without a context, or where it gains nothing, without the gate.

    Args:
        lists: the lists that teach.
        seed: of the folds and of where the units start.
        folds: how many gates are averaged; each is stopped early on its part of the groups.
        learn: what gives the static weights and the heads.
    """
    static, heads = learn(lists)
    columns, mean, spread = varying(lists)
    fold = fold_of(lists.groups[heads.rows], folds, seed)
    nets = [] if fold is None or not len(columns) else _nets(heads, static, (columns, mean, spread), fold, seed)
    weights = static + sum((net.move for net in nets), np.zeros(len(static))) / max(len(nets), 1)
    return Blend(
        kind="network",
        members=lists.members,
        weights=table(weights.reshape(-1, len(USED)), USED),
        gate=_gate(nets, columns, mean, spread) if any(net.out.any() for net in nets) else None,
    )


@dataclass(frozen=True)
class Net:
    """move: (D,) what is added to the static weights. inner: (H, G' + 1) units, the bias last. out: (H, D)."""

    move: Doubles
    inner: Doubles
    out: Doubles

    @classmethod
    def start(cls, width: int, inputs: int, seed: int) -> "Net":
        """Units that look in random directions and say nothing yet."""
        random = np.random.default_rng(seed)
        inner = np.zeros((UNITS, inputs + 1))
        inner[:, :-1] = random.normal(size=(UNITS, inputs)) / np.sqrt(inputs)
        return cls(np.zeros(width), inner, np.zeros((UNITS, width)))

    @property
    def flat(self) -> Doubles:
        """All numbers as one vector."""
        return np.concatenate([self.move, self.inner.ravel(), self.out.ravel()])

    def like(self, flat: Doubles) -> "Net":
        """The net of such a vector."""
        move, inner, out = np.split(flat, np.cumsum([self.move.size, self.inner.size]))
        return Net(move, inner.reshape(self.inner.shape), out.reshape(self.out.shape))


@dataclass(frozen=True)
class Gated:
    """The loss of a net. x: (N, D), z: (N, G') standardised, base: (N,) static scores; N = n lists of m candidates."""

    x: Floats
    z: Floats
    base: Floats
    share: Floats
    bar: Floats

    @classmethod
    def of(
        cls, heads: Heads, static: Doubles, columns: npt.NDArray[np.intp], mean: Doubles, spread: Doubles
    ) -> "Gated":
        """From heads and the standardisation of the context columns in use."""
        x = heads.x.reshape(-1, heads.x.shape[2])
        z = (heads.context.reshape(len(x), -1)[:, columns] - mean) / spread
        return cls(x, z.astype(np.float32), x @ static.astype(np.float32), heads.share, heads.bar)

    def value(self, net: Net) -> float:
        """Mean listwise cross-entropy."""
        return _cross_entropy(self._said(net)[2], self.share, self.bar)[0]

    def loss(self, net: Net) -> tuple[float, Doubles]:
        """Mean listwise cross-entropy and its gradient, laid out as `Net.flat`."""
        on, said, scores = self._said(net)
        value, likely = _cross_entropy(scores, self.share, self.bar)
        slope = ((likely - self.share) / np.float32(len(scores))).ravel()
        by_x = np.concatenate([slope[None], on * slope]) @ self.x
        said *= slope * (1 - on * on)
        by_inner = np.concatenate([said @ self.z, said.sum(axis=1)[:, None]], axis=1)
        return value, np.concatenate([by_x[0], by_inner.ravel(), by_x[1:].ravel()]).astype(np.float64)

    def _said(self, net: Net) -> tuple[Floats, Floats, Floats]:
        """(H, N) how far the units are on, (H, N) what each says when it is, (n, m) scores: long rows add up fast."""
        move, inner, out = (part.astype(np.float32) for part in (net.move, net.inner, net.out))
        on = np.tanh(inner[:, :-1] @ self.z.T + inner[:, -1:])
        said = np.concatenate([move[None], out]) @ self.x.T
        scores = self.base + said[0] + np.einsum("hn,hn->n", on, said[1:])
        return on, said[1:], scores.reshape(self.share.shape)


def fold_of(groups: Longs, folds: int, seed: int) -> Longs | None:
    """(n,) fold of every list by its group, which none divides; None where the groups are too few."""
    distinct, place = np.unique(groups, return_inverse=True)
    if len(distinct) < FEWEST_GROUPS:
        return None
    numbers: Longs = (np.random.default_rng(seed).permutation(len(distinct)) % folds)[place]
    return numbers


def _nets(
    heads: Heads,
    static: Doubles,
    inputs: tuple[npt.NDArray[np.intp], Doubles, Doubles],
    fold: Longs,
    seed: int,
) -> list[Net]:
    nets = []
    for number in range(int(fold.max()) + 1):
        sides = _drawn(fold != number, seed + number), np.flatnonzero(fold == number)
        teaching, held = (Gated.of(heads.take(rows), static, *inputs) for rows in sides)
        nets.append(fit(teaching, held, Net.start(len(static), len(inputs[0]), seed + number)))
    return nets


def _drawn(wanted: Bools, seed: int) -> npt.NDArray[np.intp]:
    rows = np.flatnonzero(wanted)
    if len(rows) <= MOST_LISTS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, size=MOST_LISTS, replace=False))


def fit(teaching: Gated, held: Gated, start: Net) -> Net:
    """From *start* down the loss of *teaching*, to the step that is best for *held*."""
    sizes = (start.move.size, start.inner.size, start.out.size)
    holds = np.repeat((MOVE_L2, INNER_L2, OUT_L2), sizes)
    best, since = (held.value(start), start), 0

    def objective(flat: Doubles) -> tuple[float, Doubles]:
        value, slope = teaching.loss(start.like(flat))
        return value + float(holds @ (flat * flat)), slope + 2 * holds * flat

    def watch(flat: Doubles) -> None:
        nonlocal best, since
        value, since = held.value(start.like(flat)), since + 1
        if value < best[0]:
            best, since = (value, start.like(flat.copy())), 0
        if since >= PATIENCE:
            raise StopIteration

    options = {"maxiter": STEPS, "maxcor": 20, "ftol": 1e-7}
    minimize(objective, start.flat, jac=True, method="L-BFGS-B", callback=watch, options=options)
    return best[1]


def _cross_entropy(scores: Floats, share: Floats, bar: Floats) -> tuple[float, Floats]:
    """Mean loss, and (n, m) how likely each candidate is."""
    relevant = (scores * share).sum(axis=1, dtype=np.float64)
    barred = scores + bar
    highest = barred.max(axis=1, keepdims=True)
    likely = np.exp(barred - highest)
    total = likely.sum(axis=1, keepdims=True)
    value = (np.log(total[:, 0]) + highest[:, 0] - relevant).mean(dtype=np.float64)
    return float(value), likely / total


def _gate(nets: list[Net], columns: npt.NDArray[np.intp], mean: Doubles, spread: Doubles) -> Gate:
    """All units side by side, each saying its share of the average."""
    inner = np.concatenate([net.inner for net in nets])
    out = np.concatenate([net.out for net in nets]) / len(nets)
    wide = [np.array(table(row.reshape(-1, len(USED)), USED)).ravel() for row in out]
    return Gate(
        inputs=tuple(CONTEXT[column] for column in columns),
        center=tuple(mean.tolist()),
        scale=tuple(spread.tolist()),
        hidden=tuple(map(tuple, inner.tolist())),
        activation="tanh",
        out=tuple(tuple(row.tolist()) for row in wide),
    )
