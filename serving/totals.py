"""The score of every candidate without saying whose part is what: what `blend.apply` sums to, several times sooner.

Where only the order matters (judging methods, and starting a second level) the parts need not be known.
"""

import numpy as np

from serving.arrays import Floats
from serving.blend import Blend, corrections, lifted, strangers
from serving.breadth import POPULARITY, held_back
from serving.calibration import FEATURES
from serving.evidence import Evidence
from serving.gate import Gate
from serving.trees import sunk


def totals(blend: Blend, evidence: Evidence) -> Floats:
    """The score of each candidate, up to rounding the sum of its parts.

    Args:
        blend: the weights; users without a history are answered by its blend for strangers, where it has one.
        evidence: of members of the blend, in any order; those missing are absent for this request.

    Returns:
        (n, c) float32.
    """
    total = _total(blend, evidence)
    strange = strangers(blend, evidence)
    if blend.strangers is not None and len(strange):
        total[strange] = _total(blend.strangers, evidence.take(strange))
    return total + lifted(blend, evidence, total, strange)


def _total(blend: Blend, evidence: Evidence) -> Floats:
    fitted = blend.for_present(evidence.members)
    total = _linear(fitted, evidence)
    second = fitted.trees or fitted.attention
    if second is not None and set(fitted.members) <= set(evidence.members):
        total += _second(fitted, second.depth, evidence.of(fitted.members), total)
    if fitted.reach and POPULARITY in evidence.members:
        total -= np.float32(fitted.reach) * held_back(evidence, total)
    return total


def _linear(blend: Blend, evidence: Evidence) -> Floats:
    """Weights times features, a matrix product by feature: nothing of the size of the features is made."""
    rows = blend.weights_of(evidence.members).astype(np.float32)
    gate = _gate_rows(blend, evidence) if blend.gate is not None else np.zeros((0, *rows.shape), np.float32)
    table = np.concatenate([rows[None], gate])  # (1 + H, K, F)
    said = np.zeros((len(evidence.valid), len(table), evidence.valid.shape[1]), dtype=np.float32)
    for feature in np.flatnonzero(table.any(axis=(0, 1))):
        said += np.matmul(table[:, :, feature], evidence.features[..., feature].transpose(0, 2, 1))
    total = said[:, 0].copy()
    if blend.gate is not None:
        total += np.einsum("nch,nhc->nc", blend.gate.on(evidence.context), said[:, 1:])
    return total


def _gate_rows(blend: Blend, evidence: Evidence) -> Floats:
    """(H, K, F) what each unit of the gate adds to the weights of the members of the evidence."""
    gate: Gate = blend.gate  # type: ignore[assignment]
    of_blend = gate.table.reshape(-1, gate.size, len(FEATURES))
    rows = np.zeros((len(of_blend), len(evidence.members), len(FEATURES)), dtype=np.float32)
    for column, name in enumerate(evidence.members):
        if name in blend.members:
            rows[:, column] = of_blend[:, blend.members.index(name)]
    return rows


def _second(fitted: Blend, depth: int, evidence: Evidence, linear: Floats) -> Floats:
    """(n, c) what trees and attention add to the head, and what sinks the others below it."""
    total = np.where(evidence.valid, linear, np.float32(-np.inf))
    order, columns, looked = corrections(fitted, depth, evidence, total)
    added = looked if fitted.trees is None else looked + fitted.trees.summed(columns)
    out = sunk(total, order, added)
    np.put_along_axis(out, order, added, axis=1)
    out[~evidence.valid] = 0
    return out
