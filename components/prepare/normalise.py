"""Fit the normaliser on what was known before the first window."""

import numpy as np
import numpy.typing as npt

from serving.normaliser import Normaliser


def fit_normaliser(prices: npt.NDArray[np.float64]) -> Normaliser:
    """Measure log-price over *prices* (n,), one per item met in training; missing ones are left out."""
    logs = np.log(prices[np.isfinite(prices) & (prices > 0)])
    if not len(logs):
        return Normaliser()
    spread = float(logs.std())
    return Normaliser(float(logs.mean()), spread if spread > 1e-9 else 1.0, len(logs))
