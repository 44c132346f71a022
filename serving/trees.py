"""A small ensemble of regression trees that corrects the head of a linear blend, with exact attribution.

Trees read what a linear blend cannot use: raw scores, ranks, the linear score itself and the context. They see only
the `depth` best candidates of the linear blend; the others keep their order, below them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from scipy import sparse

from components.common.config import Config
from serving.arrays import Floats, Longs
from serving.calibration import MISSING, TOP, VALUE
from serving.context import CONTEXT
from serving.evidence import Evidence

UNKNOWN = np.float32(-1e30)  # what trees read where a member did not score
MOST_LEAVES = 16
ROWS = 2_000  # candidates walked through the trees at once


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


def head_columns(evidence: Evidence, total: Floats, order: npt.NDArray[np.intp]) -> Floats:
    """(n, depth, len(columns_of)) columns of the candidates *order* (n, depth), best first by the linear *total*."""
    places = order[:, :, None]
    features = evidence.features
    value, top, missing = (np.take_along_axis(features[..., f], places, axis=1) for f in (VALUE, TOP, MISSING))
    scores = np.take_along_axis(evidence.scores, places, axis=1)
    known = np.isfinite(scores) & (missing == 0)
    rank = 1 / np.maximum(top, np.float32(1e-6))
    linear = np.take_along_axis(total, order, axis=1)[:, :, None]
    linear = np.where(np.isfinite(linear), linear, UNKNOWN)
    read = [np.where(known, part, UNKNOWN) for part in (value, rank, scores)]
    context = np.take_along_axis(evidence.context, places, axis=1)
    return np.concatenate([*read, linear, linear - linear[:, :1], context], axis=2).astype(np.float32)


def sunk(total: Floats, order: npt.NDArray[np.intp], added: Floats) -> Floats:
    """(n, c): 0 for the corrected; for the others what moves them, in their order, just below the corrected.

    Args:
        total: (n, c) linear scores.
        order: (n, m) places that are corrected.
        added: (n, m) by how much.
    """
    head = np.take_along_axis(total, order, axis=1) + added
    lowest = np.where(np.isfinite(head), head, np.inf).min(axis=1)
    rest = total.copy()
    np.put_along_axis(rest, order, -np.inf, axis=1)
    highest = rest.max(axis=1)
    move = np.where(np.isfinite(highest), np.minimum(lowest - highest, 0), 0).astype(np.float32)
    return np.where(np.isfinite(rest), move[:, None], np.float32(0))


@dataclass(frozen=True)
class Flat:
    """T trees of at most S nodes. feature, threshold, mask: (T * S,). owned: (T * (S + 1), K + 2) of each leaf.

    A node whose condition fails rules out the leaves to its left: of a tree's leaves, numbered from the left, the
    first that no node rules out is the one reached.
    """

    trees: int
    feature: npt.NDArray[np.intp]
    threshold: Floats
    mask: npt.NDArray[np.uint16]
    owned: Floats

    @classmethod
    def of(cls, ensemble: Trees) -> "Flat":
        """Lay the trees out; what a split changes belongs to the owner of the column it reads."""
        k = len(ensemble.members)
        owner = [*range(k)] * 3 + [k, k] + [k + 1] * len(CONTEXT)
        size = max((len(tree.feature) for tree in ensemble.trees), default=0) or 1
        count = len(ensemble.trees)
        feature = np.zeros((count, size), dtype=np.intp)
        threshold = np.full((count, size), np.inf, dtype=np.float32)
        mask = np.full((count, size), 0xFFFF, dtype=np.uint16)
        owned = np.zeros((count, size + 1, k + 2), dtype=np.float64)
        for number, tree in enumerate(ensemble.trees):
            nodes = len(tree.feature)
            feature[number, :nodes] = tree.feature
            threshold[number, :nodes] = [_down(value) for value in tree.threshold]
            if nodes:
                _lay(tree, 0, np.zeros(k + 2), owner, mask[number], owned[number], 0)
        return cls(count, feature.ravel(), threshold.ravel(), mask.ravel(), owned.reshape(-1, k + 2).astype(np.float32))

    def attribute(self, columns: Floats) -> Floats:
        """(m, K + 2) what the trees add to each of m rows: by member, the linear score, the context."""
        if not self.trees:
            return np.zeros((len(columns), self.owned.shape[1]), dtype=np.float32)
        parts = [self._attribute(columns[start : start + ROWS]) for start in range(0, len(columns), ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.owned.shape[1]), dtype=np.float32)

    def sum(self, columns: Floats) -> Floats:
        """(m,) what the trees add in all to each of m rows."""
        if not self.trees:
            return np.zeros(len(columns), dtype=np.float32)
        values = self.owned.sum(axis=1)
        pieces = (columns[start : start + ROWS] for start in range(0, len(columns), ROWS))
        parts = [values[self._leaves(piece)].sum(axis=1) for piece in pieces]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def _leaves(self, columns: Floats) -> Longs:
        """(m, T) rows of `owned` that each row reaches."""
        failed = columns[:, self.feature] > self.threshold
        masks = np.where(failed, self.mask, np.uint16(0xFFFF)).reshape(len(columns), self.trees, -1)
        left = np.bitwise_and.reduce(masks, axis=2)
        return np.asarray(_FIRST[left].astype(np.int64) + np.arange(self.trees) * (masks.shape[2] + 1))

    def _attribute(self, columns: Floats) -> Floats:
        leaf = self._leaves(columns)
        ones = np.ones(leaf.size, dtype=np.float32)
        ends = np.arange(len(columns) + 1) * self.trees
        reached = sparse.csr_matrix((ones, leaf.ravel(), ends), shape=(len(columns), len(self.owned)))
        return np.asarray(reached @ self.owned, dtype=np.float32)


def _lay(
    tree: Tree,
    node: int,
    path: npt.NDArray[np.float64],
    owner: list[int],
    mask: npt.NDArray[np.uint16],
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
            last = _lay(tree, child, below, owner, mask, owned, last)
        middle = last if side == 0 else middle
    mask[node] = 0xFFFF & ~(((1 << middle) - 1) & ~((1 << first) - 1))
    return last


def _down(value: float) -> np.float32:
    """The highest float32 not above *value*: x <= value says the same of every float32 x."""
    near = np.float32(value)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > value else near


_FIRST = np.array([max((number & -number).bit_length() - 1, 0) for number in range(1 << MOST_LEAVES)], np.uint8)
