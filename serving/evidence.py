"""What a blend sees of a batch of questions: every candidate's scores by every member, and its context."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from serving.arrays import Bools, Floats
from serving.calibration import features
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
    def features(self) -> Floats:
        """(n, c, K, F) calibrated features of the scores, see serving.calibration."""
        return features(self.scores, self.valid)

    def of(self, names: Sequence[str]) -> "Evidence":
        """The same candidates as the members *names* alone see them."""
        if tuple(names) == self.members:
            return self
        columns = [self.members.index(name) for name in names]
        restricted = Evidence(tuple(names), self.scores[:, :, columns], self.valid, self.context, self.traces)
        if "features" in self.__dict__:
            restricted.__dict__["features"] = self.features[:, :, columns]
        return restricted

    def take(self, rows: npt.NDArray[np.intp]) -> "Evidence":
        """The questions *rows*."""
        traces = None if self.traces is None else self.traces.take(rows)
        return Evidence(self.members, self.scores[rows], self.valid[rows], self.context[rows], traces)
