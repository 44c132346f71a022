"""The blend: M(x) = sum over members of w_k · M_k(x), with an explanation that is exact because it is the sum."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator

from components.common.config import Config
from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from serving.arrays import Floats
from serving.calibration import FEATURES, RRF, features

__all__ = ["FEATURES", "Blend", "Fusion", "TaskFusion", "Weights", "apply", "features"]

Weights = tuple[tuple[float, ...], ...]
Doubles = npt.NDArray[np.float64]


class Blend(Config):
    """Weights of every feature of every member, for one task, by one method."""

    kind: str = Field(description="the method that gave the weights, e.g. least_squares")
    members: tuple[str, ...] = Field(description="order of the rows of the weights")
    weights: Weights = Field(description="K rows of F, features in the order of `features`")
    without: dict[str, Weights] = Field(
        default_factory=dict, description="by absent member: weights fitted without it (its own row is zero)"
    )
    features: tuple[str, ...] = FEATURES

    @model_validator(mode="after")
    def _fits(self) -> "Blend":
        if self.features != FEATURES:
            raise ValueError(f"features are {self.features}; this version blends {FEATURES}")
        if len(set(self.members)) != len(self.members) or not set(self.without) <= set(self.members):
            raise ValueError(f"members {self.members} repeat, or do not hold all of {sorted(self.without)}")
        for table in (self.weights, *self.without.values()):
            if len(table) != len(self.members) or any(len(row) != len(FEATURES) for row in table):
                raise ValueError(f"weights must have {len(self.members)} rows of {len(FEATURES)} numbers")
        return self

    @property
    def table(self) -> Doubles:
        """(K, F) the weights as an array, read-only."""
        return _array(self.weights)

    def weights_of(self, present: Sequence[str], scale: Mapping[str, float] | None = None) -> Doubles:
        """Weights for a request that only the members *present* can answer.

        All here: as fitted. One absent: those fitted without it. Otherwise the rows of the members present grow by
        one factor, so that the absolute weights keep their sum; where that leaves nothing (the only weighted member
        is down), the members present count alike, by reciprocal rank.

        Args:
            present: members of the rows wanted, in order; unknown ones weigh nothing.
            scale: by member, a factor for its row, asked for by the request.

        Returns:
            (len(present), F).
        """
        absent = [name for name in self.members if name not in present]
        whole = self.table if len(absent) != 1 else _array(self.without.get(absent[0], self.weights))
        place = {name: row for row, name in enumerate(self.members)}
        rows = np.zeros((len(present), len(FEATURES)))
        for row, name in enumerate(present):
            if name in place:
                rows[row] = whole[place[name]]
        if absent:
            rows = _renormalised(rows, float(np.abs(self.table).sum()))
        if scale:
            rows *= np.array([scale.get(name, 1.0) for name in present])[:, None]
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


class Fusion(Config):
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

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> "Fusion":
        """Read what `save` wrote.

        Raises:
            ReleaseError: the file is missing, damaged or of another version.
        """
        try:
            return cls(**read_json(path))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise ReleaseError(f"{path.name}: cannot be read as a fusion: {error}. Build the release again.") from error


def apply(
    blend: Blend, feats: Floats, present: Sequence[str] | None = None, weights: Mapping[str, float] | None = None
) -> Floats:
    """Each member's contribution to each candidate's score; the score is their sum.

    Args:
        blend: the weights.
        feats: (n, c, P, F) from `features`, members in the order of *present*.
        present: the members of *feats*; None: all of the blend.
        weights: the request's own factors by member.

    Returns:
        (n, c, P) float32.
    """
    rows = blend.weights_of(blend.members if present is None else present, weights).astype(np.float32)
    total = np.zeros(feats.shape[:3], dtype=np.float32)
    for feature in np.flatnonzero(rows.any(axis=0)):
        total += feats[..., feature] * rows[:, feature]
    return total


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
