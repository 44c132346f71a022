"""The blend: M(x) = sum over members of w_k · M_k(x), with an explanation that is exact because it is the sum."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from components.common.config import Config
from components.common.errors import ReleaseError
from serving.arrays import Floats, Longs
from serving.attention import Attention
from serving.breadth import PAGE, POPULARITY, held_back, lift
from serving.calibration import FEATURES, RRF
from serving.context import CONTEXT
from serving.evidence import Evidence
from serving.gate import Gate
from serving.part import Part
from serving.trees import Trees, head_columns, sunk

__all__ = [
    "CONTEXT_PART",
    "FEATURES",
    "Blend",
    "Fusion",
    "TaskFusion",
    "Weights",
    "apply",
    "corrections",
    "strangers",
]

Weights = tuple[tuple[float, ...], ...]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
HISTORY = CONTEXT.index("history")  # 0 for who has none
CONTEXT_PART = "context"  # the contribution that belongs to no member


class Blend(Config):
    """Weights of every feature of every member, for one task, by one method."""

    kind: str = Field(description="the method that gave the weights, e.g. least_squares")
    members: tuple[str, ...] = Field(description="order of the rows of the weights")
    weights: Weights = Field(description="K rows of F, features in the order of `features`")
    gate: Gate | None = Field(None, description="how the weights change with the context (network, meta)")
    trees: Trees | None = Field(None, description="a correction of the head of the list (stacker)")
    attention: Attention | None = Field(None, description="a correction of the head that looks at the history")
    reach: float = Field(0.0, ge=0, description="what a most popular candidate loses, see serving.breadth")
    seats: int = Field(0, ge=0, lt=PAGE, description="last places of the first ten given to what few buy")
    host: str = Field("", description="the member whose candidates take the seats")
    without: dict[str, "Blend"] = Field(default_factory=dict, description="by absent member: fitted without it")
    strangers: "Blend | None" = Field(None, description="for users without a history: learned of them")
    features: tuple[str, ...] = FEATURES

    @model_validator(mode="after")
    def _fits(self) -> "Blend":
        if self.features != FEATURES:
            raise ValueError(f"features are {self.features}; this version blends {FEATURES}")
        if len(set(self.members)) != len(self.members) or not set(self.without) <= set(self.members):
            raise ValueError(f"members {self.members} repeat, or do not hold all of {sorted(self.without)}")
        if len(self.weights) != len(self.members) or any(len(row) != len(FEATURES) for row in self.weights):
            raise ValueError(f"weights must have {len(self.members)} rows of {len(FEATURES)} numbers")
        if self.trees is not None and self.trees.members != self.members:
            raise ValueError(f"trees read {self.trees.members}; the blend has {self.members}")
        if self.attention is not None and self.attention.members != self.members:
            raise ValueError(f"attention reads {self.attention.members}; the blend has {self.members}")
        if self.trees is not None and self.attention is not None and self.trees.depth != self.attention.depth:
            raise ValueError(f"trees correct {self.trees.depth} candidates, attention {self.attention.depth}")
        if self.gate is not None and self.gate.size != len(self.members):
            raise ValueError(f"the gate weighs {self.gate.size} members; the blend has {len(self.members)}")
        return self

    @model_validator(mode="after")
    def _stands_in(self) -> "Blend":
        if self.strangers is not None and self.strangers.members != self.members:
            raise ValueError(f"the blend for strangers weighs {self.strangers.members}; the blend {self.members}")
        if self.seats and self.host not in self.members:
            raise ValueError(f"the seats are of '{self.host}'; the blend has {self.members}")
        for absent, blend in self.without.items():
            if absent in blend.members or not set(blend.members) < set(self.members):
                raise ValueError(
                    f"without '{absent}': found members {blend.members}, expected some others of {self.members}"
                )
        return self

    @property
    def table(self) -> Doubles:
        """(K, F) the weights as an array, read-only."""
        return _array(self.weights)

    def weighs(self, name: str) -> bool:
        """Has the member *name* any weight in it."""
        return name in self.members and bool(self.table[self.members.index(name)].any())

    def for_present(self, present: Sequence[str]) -> "Blend":
        """The blend for a request that only the members *present* can answer: fitted without the one that is absent."""
        absent = [name for name in self.members if name not in present]
        return self.without.get(absent[0], self) if len(absent) == 1 else self

    def weights_of(self, present: Sequence[str]) -> Doubles:
        """Weights of the members *present*, in that order; unknown ones weigh nothing.

        Where a member is absent the rows of those present grow by one factor, so that the absolute weights keep their
        sum; where that leaves nothing (the only weighted member is down), they count alike, by reciprocal rank.

        Returns:
            (len(present), F).
        """
        place = {name: row for row, name in enumerate(self.members)}
        rows = np.zeros((len(present), len(FEATURES)))
        for row, name in enumerate(present):
            if name in place:
                rows[row] = self.table[place[name]]
        if any(name not in present for name in self.members):
            rows = _renormalised(rows, float(np.abs(self.table).sum()))
        return rows


class TaskFusion(Config):
    """Every method's blend for one task, and the one that serves."""

    chosen: str
    methods: dict[str, Blend]

    @model_validator(mode="after")
    def _holds_chosen(self) -> "TaskFusion":
        if self.chosen not in self.methods:
            raise ValueError(f"chosen method {self.chosen!r} is not among {sorted(self.methods)}")
        return self


class Fusion(Part):
    """The blends of a release, by task: discovery, next_basket, search, similar, bundle."""

    tasks: dict[str, TaskFusion]

    def blend(self, task: str, method: str | None = None) -> Blend:
        """The blend of *task*: the chosen one, or that of *method*.

        Raises:
            ReleaseError: this release has no such task or method.
        """
        if task not in self.tasks:
            raise ReleaseError(f"fusion: found no blend for task '{task}'; this release has {sorted(self.tasks)}.")
        fusion = self.tasks[task]
        name = method or fusion.chosen
        if name not in fusion.methods:
            raise ReleaseError(f"fusion: task '{task}' has no method '{name}'; found {sorted(fusion.methods)}.")
        return fusion.methods[name]


def apply(blend: Blend, evidence: Evidence, weights: Mapping[str, float] | None = None) -> Floats:
    """Each member's contribution to each candidate's score, and the context's; the score is their sum.

    Args:
        blend: the weights; users without a history are answered by its blend for strangers, where it has one.
        evidence: of members of the blend, in any order; those missing are absent for this request.
        weights: the request's own factors by member; they scale its whole contribution.

    Returns:
        (n, c, P + 1) float32: the P members of the evidence, and last what belongs to none (CONTEXT_PART).
    """
    parts = _parts(blend, evidence)
    strange = strangers(blend, evidence)
    if blend.strangers is not None and len(strange):
        parts[strange] = _parts(blend.strangers, evidence.take(strange))
    if weights:
        parts[..., :-1] *= np.array([weights.get(name, 1.0) for name in evidence.members], dtype=np.float32)
    parts[..., -1] += lifted(blend, evidence, parts.sum(axis=2), strange)
    return parts


def lifted(blend: Blend, evidence: Evidence, total: Floats, strange: Rows) -> Floats:
    """(n, c) what the seats add to the *total* (n, c): nothing for the rows *strange*, whose blend has none."""
    fitted = blend.for_present(evidence.members)
    added = lift(evidence, total, fitted.host, fitted.seats)
    if blend.strangers is not None:
        added[strange] = 0
    return added


def strangers(blend: Blend, evidence: Evidence) -> Rows:
    """Rows of the questions that the blend for strangers answers: nothing is known of who asks; none without it."""
    if blend.strangers is None:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(~evidence.context[..., HISTORY].any(axis=1))


def _parts(blend: Blend, evidence: Evidence) -> Floats:
    fitted = blend.for_present(evidence.members)
    parts = np.zeros((*evidence.scores.shape[:2], len(evidence.members) + 1), dtype=np.float32)
    parts[..., :-1] = _weighted(fitted, evidence)
    second = fitted.trees or fitted.attention
    if second is not None and set(fitted.members) <= set(evidence.members):
        order = [*(evidence.members.index(name) for name in fitted.members), -1]
        parts[..., order] += _corrected(fitted, second.depth, evidence.of(fitted.members), parts[..., order[:-1]])
    if fitted.reach and POPULARITY in evidence.members:
        held = np.float32(fitted.reach) * held_back(evidence, parts.sum(axis=2))
        parts[..., evidence.members.index(POPULARITY)] -= held
    return parts


def _weighted(blend: Blend, evidence: Evidence) -> Floats:
    rows = blend.weights_of(evidence.members).astype(np.float32)
    total = np.zeros(evidence.scores.shape, dtype=np.float32)
    for feature in np.flatnonzero(rows.any(axis=0)):
        total += evidence.features[..., feature] * rows[:, feature]
    if blend.gate is not None:
        place = [column for column, name in enumerate(evidence.members) if name in blend.members]
        extra = blend.gate.extra(evidence.context)[:, :, [blend.members.index(evidence.members[k]) for k in place]]
        total[:, :, place] += np.einsum("nckf,nckf->nck", extra, evidence.features[:, :, place])
    return total


def _corrected(fitted: Blend, depth: int, evidence: Evidence, linear: Floats) -> Floats:
    """(n, c, K + 1) what trees and attention add to the head; the others are kept below it, in their order.

    evidence, linear: of the members of the blend, in its order.
    """
    total = np.where(evidence.valid, linear.sum(axis=2), np.float32(-np.inf))
    order, columns, looked = corrections(fitted, depth, evidence, total)
    added = np.zeros((*order.shape, linear.shape[2] + 1), dtype=np.float32)
    if fitted.trees is not None:
        added += fitted.trees.added(columns, np.take_along_axis(linear, order[:, :, None], axis=1))
    added[..., -1] += looked
    out = np.zeros((*total.shape, added.shape[2]), dtype=np.float32)
    np.put_along_axis(out, order[:, :, None], added, axis=1)
    out[..., -1] += sunk(total, order, added.sum(axis=2))
    out[~evidence.valid] = 0
    return out


def corrections(fitted: Blend, depth: int, evidence: Evidence, total: Floats) -> tuple[Longs, Floats, Floats]:
    """(n, m) places of the head by the linear *total* (n, c), what trees read of it, and (n, m) what attention adds."""
    order = np.argsort(-total, axis=1, kind="stable")[:, :depth]
    columns = head_columns(evidence, total, order)
    if fitted.attention is None:
        return order, columns, np.zeros(order.shape, dtype=np.float32)
    traces = None if evidence.traces is None else evidence.traces.of_places(order)
    return order, columns, fitted.attention.added(columns, traces)


def _renormalised(rows: Doubles, wanted: float) -> Doubles:
    found = float(np.abs(rows).sum())
    if found > 0:
        return rows * (wanted / found)
    alike = np.zeros_like(rows)
    alike[:, RRF] = (wanted or 1.0) / max(len(rows), 1)
    return alike


@lru_cache(maxsize=256)
def _array(table: Weights) -> Doubles:
    array = np.asarray(table, dtype=np.float64).reshape(len(table), len(FEATURES))
    array.setflags(write=False)
    return array
