"""What a blend sees of a batch of questions: every candidate's scores by every member, and its context."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from serving.arrays import Bools, Floats, at
from serving.calibration import FEATURES, feature_rows
from serving.context import CONTEXT
from serving.traces import Traces


@dataclass(frozen=True)
class Evidence:
    """n questions, c candidates each, K members.

    members: names. scores: (n, c, K) raw, NaN = not scored. valid: (n, c), False is padding.
    context: (n, c, len(CONTEXT)), see serving.context. traces: what the users did last; None: nothing is known.
    """

    members: tuple[str, ...]
    scores: Floats
    valid: Bools
    context: Floats
    traces: Traces | None = None

    @classmethod
    def without_context(cls, members: tuple[str, ...], scores: Floats, valid: Bools) -> "Evidence":
        """Where nothing is known of the moment: all zeros."""
        return cls(members, scores, valid, np.zeros((*valid.shape, len(CONTEXT)), dtype=np.float32))

    @cached_property
    def rows(self) -> Floats:
        """(n, F * K, c) calibrated features of the scores, see serving.calibration: by feature, then by member."""
        return feature_rows(self.scores, self.valid)

    @property
    def features(self) -> Floats:
        """(n, c, K, F) the same by candidate."""
        n, c = self.valid.shape
        return self.rows.reshape(n, len(FEATURES), len(self.members), c).transpose(0, 3, 2, 1)

    def at(self, places: npt.NDArray[np.intp]) -> "Evidence":
        """The candidates at (n, k) *places* alone, with the features that they have among all."""
        if places.shape == self.valid.shape and (places == np.arange(places.shape[1])).all():
            return self
        scores, context = (at(part, places) for part in (self.scores, self.context))
        few = Evidence(self.members, scores, at(self.valid, places), context)
        few.__dict__["rows"] = at(self.rows.transpose(0, 2, 1), places).transpose(0, 2, 1)
        return few

    def of(self, names: Sequence[str]) -> "Evidence":
        """The same candidates as the members *names* alone see them."""
        if tuple(names) == self.members:
            return self
        columns = [self.members.index(name) for name in names]
        restricted = Evidence(tuple(names), self.scores[:, :, columns], self.valid, self.context, self.traces)
        if "rows" in self.__dict__:
            n, c = self.valid.shape
            own = self.rows.reshape(n, len(FEATURES), len(self.members), c)[:, :, columns]
            restricted.__dict__["rows"] = own.reshape(n, len(FEATURES) * len(columns), c)
        return restricted

    def take(self, rows: npt.NDArray[np.intp]) -> "Evidence":
        """The questions *rows*."""
        traces = None if self.traces is None else self.traces.take(rows)
        return Evidence(self.members, self.scores[rows], self.valid[rows], self.context[rows], traces)
