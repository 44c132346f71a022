"""Trend: what is sold of late against what is usual; new, seasonal and promoted items rise before they are popular."""

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


class TrendConfig(Config):
    """Two ages."""

    recent: float = Field(default=14.0, gt=0, description="a sale counts half for now after this many days")
    usual: float = Field(default=90.0, gt=0, description="and for what is usual after this many")


class TrendTrainer:
    """score[j] = log(1 + now[j]) - log(1 + usual[j] · recent / usual): sums of 0.5^(age / half-life) over its sales."""

    def __init__(self, config: TrendConfig, _history: HistoryWeights) -> None:
        """Take the configuration; ages are days."""
        self.config = config

    def train(self, visits: pd.DataFrame, as_of: int, n_items: int) -> Trend:
        """Count the rows of `visit_items` as they are seen at *as_of* (µs)."""
        items, age = visits[c.ITEM].to_numpy(), (as_of - visits["at"].to_numpy()) / DAY
        now, usual = (_decayed(items, age, half_life, n_items) for half_life in (self.config.recent, self.config.usual))
        expected = usual * self.config.recent / self.config.usual
        return Trend((np.log1p(now) - np.log1p(expected)).astype(np.float32))

    def write(self, member: Trend, folder: Path) -> None:
        """Write the member's folder."""
        write_member(folder, member.kind, {"config": self.config.model_dump(mode="json")}, {"scores": member.scores})


def _decayed(
    items: npt.NDArray[np.integer], age: npt.NDArray[np.float64], half_life: float, n_items: int
) -> npt.NDArray[np.float64]:
    weights = np.exp2(-np.maximum(age, 0) / half_life)
    return np.bincount(items, weights=weights, minlength=n_items).astype(np.float64)
