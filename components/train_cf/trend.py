"""Trend: what is taken of late against what is usual; new, seasonal and promoted items rise before they are popular.

Where timestamps tell only an order, late is what stands at the end of the users' histories.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from components.common import columns as c
from components.common.config import Config
from components.common.moments import DAY
from components.train_cf.export import write_member
from serving.members.history import HistoryWeights
from serving.members.trend import Trend

Doubles = npt.NDArray[np.float64]


class TrendConfig(Config):
    """Two ages, in days or in visits of the user."""

    recent: float = Field(default=14.0, gt=0, description="a sale counts half for now after this long")
    usual: float = Field(default=90.0, gt=0, description="and for what is usual after this long")


class TrendTrainer:
    """score[j] = log(1 + now[j]) - log(1 + usual[j] · sum now / sum usual): sums of 0.5^(age / half-life)."""

    def __init__(self, config: TrendConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config, self.clock = config, history.clock

    def train(self, visits: pd.DataFrame, as_of: int, n_items: int) -> Trend:
        """Count the rows of `visit_items` as they are seen at *as_of* (µs)."""
        items = visits[c.ITEM].to_numpy()
        age = (as_of - visits["at"].to_numpy()) / DAY if self.clock == "days" else _visits_since(visits)
        now, usual = (_decayed(items, age, half_life, n_items) for half_life in (self.config.recent, self.config.usual))
        expected = usual * (now.sum() / usual.sum() if usual.any() else 1.0)
        return Trend((np.log1p(now) - np.log1p(expected)).astype(np.float32))

    def write(self, member: Trend, folder: Path) -> None:
        """Write the member's folder."""
        write_member(folder, member.kind, {"config": self.config.model_dump(mode="json")}, {"scores": member.scores})


def _visits_since(visits: pd.DataFrame) -> Doubles:
    """How many visits of the user followed each row."""
    return (visits.groupby(c.USER)[c.VISIT].transform("max") - visits[c.VISIT]).to_numpy(np.float64)


def _decayed(items: npt.NDArray[np.integer], age: Doubles, half_life: float, n_items: int) -> Doubles:
    weights = np.exp2(-np.maximum(age, 0) / half_life)
    return np.bincount(items, weights=weights, minlength=n_items).astype(np.float64)
