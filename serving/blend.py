"""The blend: M(x) = sum over members of w_k · M_k(x), with an explanation that is exact because it is the sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from components.common.config import Config
from components.common.errors import ReleaseError
from serving.arrays import Floats
from serving.attention import Attention
from serving.breadth import PAGE
from serving.calibration import FEATURES, RRF
from serving.context import CONTEXT
from serving.gate import Gate
from serving.part import Part
from serving.trees import Trees

__all__ = [
    "CONTEXT_PART",
    "FEATURES",
    "HISTORY",
    "Blend",
    "Fusion",
    "Ready",
    "Rows",
    "TaskFusion",
    "Weights",
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
    newcomers: dict[int, "Blend"] = Field(default_factory=dict, description="by products of a short history: for them")
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
        own = [("strangers", self.strangers), *(("newcomers", other) for other in self.newcomers.values())]
        for whose, other in own:
            if other is not None and other.members != self.members:
                raise ValueError(f"the blend for {whose} weighs {other.members}; the blend {self.members}")
        if any(size < 1 for size in self.newcomers):
            raise ValueError(f"newcomers have met one product or more; found blends for {sorted(self.newcomers)}")
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

    def ready(self, present: tuple[str, ...]) -> "Ready":
        """Its numbers for a request that the members *present* answer, in that order."""
        found = self._ready.get(present)
        if found is None or found.blend is not self:  # a copy of a model keeps what was cached for the first
            found = self._ready[present] = Ready.of(self, present)
        return found

    @cached_property
    def _ready(self) -> dict[tuple[str, ...], "Ready"]:
        return {}

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


@dataclass(frozen=True, eq=False)  # of a blend that may hold it: equal only to itself
class Ready:
    """A blend as arrays over the features of P members present.

    table: (1 + H, F * P) the weights, feature by feature, then what each of the H units of the gate adds to them.
    order: (K,) where among the members present those of the blend are, if all are; depth: how many are corrected.
    """

    blend: Blend
    table: Floats
    order: list[int]
    depth: int

    @classmethod
    def of(cls, blend: Blend, present: tuple[str, ...]) -> "Ready":
        """For the members *present*, in that order."""
        rows = [blend.weights_of(present).astype(np.float32), *_gate_rows(blend, present)]
        second = blend.trees or blend.attention
        whole = second is not None and set(blend.members) <= set(present)
        order = [present.index(name) for name in blend.members] if whole else []
        table = np.stack(rows).transpose(0, 2, 1).reshape(len(rows), -1)
        return cls(blend, np.ascontiguousarray(table), order, second.depth if second is not None and whole else 0)

    @property
    def corrects(self) -> bool:
        """Are the best candidates looked at once more; only where no member is absent."""
        return self.depth > 0


def _gate_rows(blend: Blend, present: tuple[str, ...]) -> list[Floats]:
    """Of each unit of the gate (P, F), what it adds to the weights of the members *present*."""
    if blend.gate is None:
        return []
    table = blend.gate.table.reshape(-1, blend.gate.size, len(FEATURES))
    own = [blend.members.index(name) if name in blend.members else -1 for name in present]
    known = np.array(own) >= 0
    return [np.where(known[:, None], unit[own], 0).astype(np.float32) for unit in table]


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
