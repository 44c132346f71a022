"""How much each item of a user's history weighs; the cf trainers and scorers share it."""

from typing import Any, Literal

import numpy as np

from components.common.config import Config
from components.common.errors import ReleaseError
from serving.arrays import Floats
from serving.states import UserStates

Clock = Literal["days", "visits"]


class HistoryWeights(Config):
    """Weight of an entry = 0.5^(age / half_life), times log(1 + count) where counts matter."""

    half_life: float | None = None  # age at which an entry weighs half as much; None: age does not matter
    clock: Clock = "days"  # what age is measured in: days, or the user's visits where timestamps give order only
    counted: bool = True  # do repeated visits with an item weigh more

    @classmethod
    def of(cls, numbers: dict[str, Any]) -> "HistoryWeights":
        """The weighting a `member.json` holds.

        Raises:
            ReleaseError: there is none.
        """
        if "history" not in numbers:
            raise ReleaseError("member.json: no 'history' found, expected the trainer's; train the member again.")
        return cls.parse(numbers["history"], "member.json: history")

    def decay(self, states: UserStates) -> Floats:
        """(nnz,) 0.5^(age / half_life) of every entry."""
        ages = states.age_days if self.clock == "days" else states.age.astype(np.float32)
        if self.half_life is None:
            return np.ones(len(ages), dtype=np.float32)
        decayed: Floats = np.exp2(ages * np.float32(-1.0 / self.half_life)).astype(np.float32)
        return decayed

    def weights(self, states: UserStates) -> Floats:
        """(nnz,) weight of every entry of *states*."""
        weights = self.decay(states)
        return weights * np.log1p(states.counts) if self.counted else weights
