"""The numbers that put prices on the scale the members learned, applied alike in training and serving."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.files import read_json, write_json
from serving.arrays import Floats


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation of the natural logarithm of price; *count* items were measured."""

    log_price_mean: float = 0.0
    log_price_std: float = 1.0
    count: int = 0

    @classmethod
    def load(cls, path: Path) -> "Normaliser":
        """Read `normaliser.json`."""
        return cls(**read_json(path))

    def save(self, path: Path) -> None:
        """Write `normaliser.json`."""
        write_json(path, asdict(self))

    def price_norm(self, prices: npt.ArrayLike) -> Floats:
        """Standardised log-price of *prices* (n,) in the shop's currency; 0, the mean, where there is no price."""
        values = np.asarray(prices, dtype=np.float64)
        known = np.isfinite(values) & (values > 0)
        logs = np.log(np.where(known, values, 1.0))
        scaled = (logs - self.log_price_mean) / self.log_price_std
        return np.where(known, scaled, 0.0).astype(np.float32)
