"""Popularity: distinct users per item, those of late counting more."""

from pathlib import Path

import numpy as np
from pydantic import Field

from components.common.config import Config
from components.train_cf.export import write_member
from serving.members.history import HistoryWeights
from serving.members.popularity import Popularity
from serving.states import UserStates


class PopularityConfig(Config):
    """The one number of popularity; tuned per shop."""

    half_life: float | None = Field(default=28.0, gt=0, description="a user counts half after this many days or visits")


class PopularityTrainer:
    """score[j] = log(1 + sum over users who met j of 0.5^(age of the last meeting / half_life))."""

    def __init__(self, config: PopularityConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})

    def train(self, states: UserStates, n_items: int) -> Popularity:
        """Count over the histories of all users; items are catalogue rows below *n_items*."""
        counts = np.bincount(states.items, weights=self.history.weights(states), minlength=n_items)
        return Popularity(np.log1p(counts).astype(np.float32))

    def write(self, member: Popularity, folder: Path) -> None:
        """Write the member's folder."""
        write_member(folder, member.kind, {"config": self.config.model_dump(mode="json")}, {"scores": member.scores})
