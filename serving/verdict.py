"""What a blend says of a batch: the score of every candidate at once, and whose part is what where it is asked.

Many candidates are weighed, few are shown. So the scores are sums of products that keep nothing of the parts; the parts
are worked out for the places that are shown, from the same head, corrections and features.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from serving import kernels
from serving.arrays import Floats, at
from serving.blend import HISTORY, Blend, Ready, Rows
from serving.breadth import POPULARITY, held_back, lift
from serving.evidence import Evidence
from serving.kernels import Head
from serving.trees import head_of, spread


def apply(blend: Blend, evidence: Evidence, weights: Mapping[str, float] | None = None) -> Floats:
    """Each member's contribution to each candidate's score, and the context's; the score is their sum.

    Args:
        blend: the weights; users without a history are answered by its blend for strangers, those with a short one
            by its blend for newcomers, where it has them.
        evidence: of members of the blend, in any order; those missing are absent for this request.
        weights: the request's own factors by member; they scale its whole contribution.

    Returns:
        (n, c, P + 1) float32: the P members of the evidence, and last what belongs to none (CONTEXT_PART).
    """
    return Verdict(blend, evidence, weights).parts(everywhere(evidence))


def totals(blend: Blend, evidence: Evidence) -> Floats:
    """(n, c) float32 the score of each candidate, up to rounding the sum of its parts."""
    return Verdict(blend, evidence).total


def everywhere(evidence: Evidence) -> Rows:
    """(n, c) all places, in order."""
    return np.broadcast_to(np.arange(evidence.valid.shape[1]), evidence.valid.shape)


class Verdict:
    """The scores of a batch by one blend; see `apply` for what it is given. total: (n, c), of padding: any number."""

    def __init__(self, blend: Blend, evidence: Evidence, weights: Mapping[str, float] | None = None) -> None:
        self._evidence, self._factors = evidence, _factors(evidence, weights)
        apart = others(blend, evidence)
        self._sides = [_Side.of(own, evidence, None) for own, rows in apart if len(rows) == len(evidence.valid)]
        if not self._sides:
            own_rows = [_Side.of(own, evidence.take(rows), rows) for own, rows in apart]
            self._sides = [_Side.of(blend, evidence, None), *own_rows]
        self.total = self._sides[0].total
        for side in self._sides[1:]:
            self.total[side.rows] = side.total
        if self._factors is not None:
            self.total = self._parts(everywhere(evidence)).sum(axis=2)
        self._lifted = self._lift(blend, [rows for _, rows in apart])
        if self._lifted is not None:
            self.total = self.total + self._lifted

    @property
    def members(self) -> tuple[str, ...]:
        """Whose parts there are, beside the context's."""
        return self._evidence.members

    def parts(self, places: Rows) -> Floats:
        """(n, k, P + 1) the contributions to the candidates at (n, k) *places*."""
        found = self._parts(places)
        if self._lifted is not None:
            found[..., -1] += at(self._lifted, places)
        return found

    def _parts(self, places: Rows) -> Floats:
        found = self._sides[0].parts(places)
        for side in self._sides[1:]:
            found[side.rows] = side.parts(places[side.rows])
        if self._factors is not None:
            found[..., :-1] *= self._factors
        return found

    def _lift(self, blend: Blend, apart: list[Rows]) -> Floats | None:
        """(n, c) what the seats add: nothing for the rows *apart*, whose blends have none."""
        fitted = blend.for_present(self._evidence.members)
        if fitted.seats == 0:
            return None
        added = lift(self._evidence, self.total, fitted.host, fitted.seats)
        for rows in apart:
            added[rows] = 0
        return added


def others(blend: Blend, evidence: Evidence) -> list[tuple[Blend, Rows]]:
    """The blends that answer instead, and which rows: where nothing is known of who asks, and where little is."""
    if blend.strangers is None and not blend.newcomers:
        return []
    sizes = np.rint(np.expm1(evidence.context[..., HISTORY].max(axis=1, initial=0)))  # of log(1 + distinct items)
    sides = [(own, np.flatnonzero(sizes == size)) for size, own in ((0, blend.strangers), *blend.newcomers.items())]
    return [(own, rows) for own, rows in sides if own is not None and len(rows)]


@dataclass(frozen=True)
class _Side:
    """The questions that one blend answers. rows: theirs in the batch; None: all."""

    ready: Ready
    evidence: Evidence
    rows: Rows | None
    total: Floats
    head: Head | None
    held: Floats | None

    @classmethod
    def of(cls, blend: Blend, evidence: Evidence, rows: Rows | None) -> "_Side":
        ready = blend.for_present(evidence.members).ready(evidence.members)
        total, head, held = _linear(ready, evidence), None, None
        if ready.corrects:
            head, added = _second(ready, evidence.of(ready.blend.members), total)
            total = total + added
        if ready.blend.reach and POPULARITY in evidence.members:
            held = np.float32(ready.blend.reach) * held_back(evidence, total)
            total = total - held
        return cls(ready, evidence, rows, total, head, held)

    def parts(self, places: Rows) -> Floats:
        """(n, k, P + 1) the contributions at (n, k) *places*."""
        if kernels.there:
            return self._compiled(places)
        seen = self.evidence.at(places)
        found = np.zeros((*places.shape, len(seen.members) + 1), dtype=np.float32)
        found[..., :-1] = _weighted(self.ready, seen)
        if self.head is not None:
            own = self.ready.order
            found[..., [*own, -1]] += self._corrected(self.head, places, found[..., own]) * seen.valid[:, :, None]
        if self.held is not None:
            found[..., seen.members.index(POPULARITY)] -= at(self.held, places)
        return found

    def _compiled(self, places: Rows) -> Floats:
        """The same by compiled loops."""
        ready, seen, gate = self.ready, self.evidence, self.ready.blend.gate
        found = kernels.weighted(ready.table, None if gate is None else gate.units, seen.rows, seen.context, places)
        if self.head is not None:
            trees = ready.blend.trees
            forest = kernels.NOTHING if trees is None else trees.flat.forest
            kernels.correct(found, places, self.head, forest, np.array(ready.order, dtype=np.int64), seen.valid)
        if self.held is not None:
            found[..., seen.members.index(POPULARITY)] -= at(self.held, places)
        return found

    def _corrected(self, head: Head, places: Rows, linear: Floats) -> Floats:
        """(n, k, K + 1) what trees and attention add at *places*; linear: (n, k, K) the parts so far."""
        same = places[:, :, None] == head.order[:, None, :]
        inside, rank = same.any(axis=2), same.argmax(axis=2)
        added = np.zeros((*places.shape, linear.shape[2] + 1), dtype=np.float32)
        trees = self.ready.blend.trees
        if trees is not None:
            added += trees.added(at(head.columns, rank), linear)
        added[..., -1] += at(head.looked, rank)
        added *= inside[:, :, None]
        added[..., -1] += at(head.moved, places)
        return added


def _factors(evidence: Evidence, weights: Mapping[str, float] | None) -> Floats | None:
    if not weights:
        return None
    return np.array([weights.get(name, 1.0) for name in evidence.members], dtype=np.float32)


def _linear(ready: Ready, evidence: Evidence) -> Floats:
    """(n, c) weights times features, one matrix product: nothing of the size of the features is made."""
    gate = ready.blend.gate
    if kernels.there:
        return kernels.linear(ready.table, None if gate is None else gate.units, evidence.rows, evidence.context)
    said = np.matmul(ready.table, evidence.rows)  # (n, 1 + H, c)
    total = said[:, 0].copy()
    if gate is not None:
        total += np.einsum("nhc,nhc->nc", gate.on(evidence.context), said[:, 1:])
    return np.asarray(total)


def _weighted(ready: Ready, evidence: Evidence) -> Floats:
    """(n, c, K) the same by member."""
    k = len(evidence.members)
    features = evidence.rows.reshape(len(evidence.valid), -1, k, evidence.valid.shape[1])
    weights = ready.table.reshape(len(ready.table), -1, k)
    total = np.einsum("fk,nfkc->nck", weights[0], features)
    if ready.blend.gate is not None:
        on = ready.blend.gate.on(evidence.context)
        own = np.matmul(on.transpose(0, 2, 1), ready.table[1:]).reshape(*evidence.valid.shape, *weights.shape[1:])
        total += np.einsum("ncfk,nfkc->nck", own, features)
    return np.asarray(total)


def _second(ready: Ready, evidence: Evidence, linear: Floats) -> tuple[Head, Floats]:
    """The head, and (n, c) what trees and attention add to it, and what sinks the others below it."""
    blend = ready.blend
    total = np.where(evidence.valid, linear, np.float32(-np.inf))
    order, columns = head_of(evidence, total, ready.depth)
    looked = np.zeros(order.shape, dtype=np.float32)
    if blend.attention is not None:
        traces = None if evidence.traces is None else evidence.traces.of_places(order)
        looked = blend.attention.added(columns, traces)
    added = looked if blend.trees is None else looked + blend.trees.summed(columns)
    moved, out = spread(total, order, added)
    return Head(order, columns, looked, moved), out
