"""A small ensemble of regression trees that corrects the head of a linear blend, with exact attribution.

Trees read what a linear blend cannot use: raw scores, ranks, the linear score itself and the context. They see only
the `depth` best candidates of the linear blend; the others keep their order, below them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from components.common.config import Config
from serving import kernels
from serving.arrays import Floats, Ints, Longs, at
from serving.calibration import MISSING, TOP, VALUE
from serving.context import CONTEXT
from serving.evidence import Evidence
from serving.sparse import Weighted, mixed

UNKNOWN = np.float32(-1e30)  # what trees read where a member did not score
MOST_LEAVES = 16
ROWS = 128  # candidates walked through the trees at once: what that takes stays in the cache


class Tree(Config):
    """Node i sends x[feature] <= threshold to its left child, the rest to its right.

    Children are nodes, or leaf ~child where negative. values: what the trees expect at each node; leaves: at each leaf.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    values: tuple[float, ...]
    leaves: Annotated[tuple[float, ...], Field(min_length=1, max_length=MOST_LEAVES)]

    @model_validator(mode="after")
    def _is_a_tree(self) -> "Tree":
        nodes = len(self.feature)
        if any(len(part) != nodes for part in (self.threshold, self.left, self.right, self.values)):
            raise ValueError("a tree's nodes differ in number")
        if len(self.leaves) != nodes + 1:
            raise ValueError(f"found {len(self.leaves)} leaves for {nodes} nodes; expected {nodes + 1}")
        reached = sorted(self.left + self.right)
        if nodes and reached != [*range(-nodes - 1, 0), *range(1, nodes)]:
            raise ValueError("a tree's children must name every leaf and every node but the first, once")
        return self


class Trees(Config):
    """The ensemble of one blend. Columns: see `columns_of`."""

    members: tuple[str, ...]
    context: tuple[str, ...] = CONTEXT
    depth: int = Field(50, ge=1, description="candidates of the linear blend that are corrected")
    trees: tuple[Tree, ...]

    @model_validator(mode="after")
    def _fits(self) -> "Trees":
        if self.context != CONTEXT:
            raise ValueError(f"trees read the context {self.context}; this version gives {CONTEXT}")
        width = len(columns_of(self.members))
        if any(not 0 <= feature < width for tree in self.trees for feature in tree.feature):
            raise ValueError(f"a tree reads a column beyond the {width} there are")
        return self

    @cached_property
    def flat(self) -> "Flat":
        """The ensemble as arrays."""
        return Flat.of(self)

    def added(self, columns: Floats, head: Floats) -> Floats:
        """What the trees add to the candidates of the head.

        Args:
            columns: (n, m, len(columns_of)) what they read.
            head: (n, m, K) contributions of the linear blend.

        Returns:
            (n, m, K + 1): by member, and last the context's.
        """
        n, m, k = head.shape
        owned = self.flat.attribute(columns.reshape(-1, columns.shape[2])).reshape(n, m, k + 2)
        share = np.abs(head) / np.maximum(np.abs(head).sum(axis=2, keepdims=True), np.float32(1e-12))
        found = np.concatenate([owned[..., :k] + owned[..., k : k + 1] * share, owned[..., k + 1 :]], axis=2)
        found[..., k] += owned[..., k] * (share.sum(axis=2) < 0.5)  # nothing to share it by: the context's
        return np.asarray(found, dtype=np.float32)

    def summed(self, columns: Floats) -> Floats:
        """(n, m) what the trees add in all to the candidates with these *columns* (n, m, len(columns_of))."""
        return self.flat.sum(columns.reshape(-1, columns.shape[2])).reshape(columns.shape[:2])


def columns_of(members: tuple[str, ...]) -> tuple[str, ...]:
    """What the trees read, in order.

    By member its calibrated value, rank (best 1) and raw score; the linear score, how far it is behind the list's best;
    the context.
    """
    by_member = [f"{kind}:{name}" for kind in ("value", "rank", "score") for name in members]
    return (*by_member, "linear", "behind", *CONTEXT)


def head_of(evidence: Evidence, total: Floats, depth: int) -> tuple[Longs, Floats]:
    """Places (n, m) of the *depth* best by the linear *total* (n, c), of padding -inf, ties to the earlier; columns."""
    if kernels.there:
        scores = evidence.scores.transpose(0, 2, 1)
        return kernels.head(total, evidence.valid, evidence.rows, scores, evidence.context, depth)
    order = np.argsort(-total, axis=1, kind="stable")[:, :depth]
    return order, head_columns(evidence, total, order)


def head_columns(evidence: Evidence, total: Floats, order: npt.NDArray[np.intp]) -> Floats:
    """(n, depth, len(columns_of)) columns of the candidates *order* (n, depth), best first by the linear *total*."""
    value, top, missing = (at(evidence.features[..., f], order) for f in (VALUE, TOP, MISSING))
    scores = at(evidence.scores, order)
    known = np.isfinite(scores) & (missing == 0)
    rank = 1 / np.maximum(top, np.float32(1e-6))
    linear = at(total, order)[:, :, None]
    linear = np.where(np.isfinite(linear), linear, UNKNOWN)
    read = [np.where(known, part, UNKNOWN) for part in (value, rank, scores)]
    context = at(evidence.context, order)
    return np.concatenate([*read, linear, linear - linear[:, :1], context], axis=2).astype(np.float32)


def sunk(total: Floats, order: npt.NDArray[np.intp], added: Floats) -> Floats:
    """(n, c): 0 for the corrected; for the others what moves them, in their order, just below the corrected.

    Args:
        total: (n, c) linear scores.
        order: (n, m) places that are corrected.
        added: (n, m) by how much.
    """
    head = at(total, order) + added
    lowest = np.where(np.isfinite(head), head, np.inf).min(axis=1)
    rest = total.copy()
    np.put_along_axis(rest, order, -np.inf, axis=1)
    highest = rest.max(axis=1)
    move = np.where(np.isfinite(highest), np.minimum(lowest - highest, 0), 0).astype(np.float32)
    return np.where(np.isfinite(rest), move[:, None], np.float32(0))


def spread(total: Floats, order: Longs, added: Floats) -> tuple[Floats, Floats]:
    """What `sunk` gives, and (n, c) that together with what is *added* to the corrected; 0 for padding (total -inf)."""
    if kernels.there:
        return kernels.spread(total, order, added)
    moved = sunk(total, order, added)
    out = moved.copy()
    np.put_along_axis(out, order, added, axis=1)
    out[np.isneginf(total)] = 0
    return moved, out


@dataclass(frozen=True)
class Flat:
    """T trees of at most S nodes. feature: (S * T,), threshold, ruled: (S * T, 1), the first nodes of all trees first.

    A node whose condition fails rules out the leaves to its left: of a tree's leaves, numbered from the left, the
    first that no node rules out is the one reached. ruled: those leaves as bits. owned: (T * (S + 1), K + 2) what each
    leaf adds, by owner; values: (T * (S + 1),) in all.
    """

    trees: int
    size: int
    feature: npt.NDArray[np.intp]
    threshold: Floats
    ruled: Ints
    owned: Floats
    values: Floats

    @classmethod
    def of(cls, ensemble: Trees) -> "Flat":
        """Lay the trees out; what a split changes belongs to the owner of the column it reads."""
        k = len(ensemble.members)
        owner = [*range(k)] * 3 + [k, k] + [k + 1] * len(CONTEXT)
        size = max((len(tree.feature) for tree in ensemble.trees), default=0) or 1
        count = len(ensemble.trees)
        feature = np.zeros((count, size), dtype=np.intp)
        threshold = np.full((count, size), np.inf, dtype=np.float32)
        ruled = np.zeros((count, size), dtype=np.int32)
        owned = np.zeros((count, size + 1, k + 2), dtype=np.float64)
        for number, tree in enumerate(ensemble.trees):
            nodes = len(tree.feature)
            feature[number, :nodes] = tree.feature
            threshold[number, :nodes] = [_down(value) for value in tree.threshold]
            if nodes:
                _lay(tree, 0, np.zeros(k + 2), owner, ruled[number], owned[number], 0)
        leaves = owned.reshape(-1, k + 2).astype(np.float32)
        by_node = threshold.T.reshape(-1, 1), ruled.T.reshape(-1, 1)
        return cls(count, size, feature.T.ravel(), *by_node, leaves, leaves.sum(axis=1))

    @cached_property
    def forest(self) -> kernels.Forest:
        """The same for the compiled loops."""
        return kernels.Forest(self.trees, self.size, self._nodes, self.owned)

    @property
    def _nodes(self) -> tuple[npt.NDArray[np.intp], Floats, Ints]:
        return self.feature, self.threshold, self.ruled

    def attribute(self, columns: Floats) -> Floats:
        """(m, K + 2) what the trees add to each of m rows: by member, the linear score, the context."""
        if not self.trees:
            return np.zeros((len(columns), self.owned.shape[1]), dtype=np.float32)
        if kernels.there:
            return kernels.trees_owned(columns, self.trees, self.size, self._nodes, self.owned)
        leaf = np.concatenate([np.empty((0, self.trees), np.int32), *(part.T for part in self._leaves(columns))])
        ends = np.arange(len(columns) + 1) * self.trees
        return mixed(Weighted(ends, leaf.ravel(), np.ones(leaf.size, dtype=np.float32)), self.owned)

    def sum(self, columns: Floats) -> Floats:
        """(m,) what the trees add in all to each of m rows."""
        if not self.trees:
            return np.zeros(len(columns), dtype=np.float32)
        if kernels.there:
            return kernels.trees_summed(columns, self.trees, self.size, self._nodes, self.values)
        parts = [self.values.take(leaf).sum(axis=0, dtype=np.float64) for leaf in self._leaves(columns)]
        return np.concatenate([np.empty(0), *parts]).astype(np.float32)

    def _leaves(self, columns: Floats) -> Iterator[Ints]:
        """(T, at most ROWS) the leaves that rows reach, some rows at a time.

        A condition fails where threshold - value is negative: its sign, spread over the number, picks what is ruled
        out, without a branch.
        """
        first = np.arange(self.trees, dtype=np.int32)[:, None] * (self.size + 1)
        for start in range(0, len(columns), ROWS):
            values = np.ascontiguousarray(columns[start : start + ROWS].T).take(self.feature, axis=0)
            np.subtract(self.threshold, values, out=values)
            out = values.view(np.int32)
            out >>= 31
            out &= self.ruled
            gone = np.bitwise_or.reduce(out.reshape(self.size, self.trees, -1), axis=0)
            yield first + np.bitwise_count(gone & ~(gone + 1))


def _lay(
    tree: Tree,
    node: int,
    path: npt.NDArray[np.float64],
    owner: list[int],
    ruled: Ints,
    owned: npt.NDArray[np.float64],
    first: int,
) -> int:
    """Number the leaves below *node* from *first*, left to right; returns the number after the last."""
    middle = last = first
    for side, child in enumerate((tree.left[node], tree.right[node])):
        below = path.copy()
        expected = tree.leaves[~child] if child < 0 else tree.values[child]
        below[owner[tree.feature[node]]] += expected - tree.values[node]
        if child < 0:
            owned[last] = below
            last += 1
        else:
            last = _lay(tree, child, below, owner, ruled, owned, last)
        middle = last if side == 0 else middle
    ruled[node] = ((1 << middle) - 1) & ~((1 << first) - 1)
    return last


def _down(value: float) -> np.float32:
    """The highest float32 not above *value*: x <= value says the same of every float32 x."""
    near = np.float32(value)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > value else near
