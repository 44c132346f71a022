"""Which of the judged methods serves."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from components.fuse.methods import STEADY

Doubles = npt.NDArray[np.float64]
AVERAGED = {"attention": 1.005, "ensemble": 1.015}  # one model stands trial, the mean of three serves: what that adds
PLENTY = 500  # lists to learn from: above it the best method serves, below it the steadiest of equals


def choose(judged: Mapping[str, Doubles], alone: Mapping[str, Doubles] | None = None, plenty: bool = False) -> str:
    """The best method where there is *plenty* to judge by, else the steadiest that is as good as the best.

    Where users are few nearly everything is as good as the best (see `as_good`); to bet on the one that happened to
    lead then costs more than to spread the weights. The order is `STEADY`, then the first; a member alone comes first
    only where it leads beyond doubt.

    Args:
        judged: by method, one value per list.
        alone: the same by member alone; empty: no member leads.
        plenty: did so many lists teach that the best is the best.
    """
    best = max(judged, key=lambda name: promised(name) * mean(judged[name]))
    if plenty:
        return best
    steady = [STEADY[0], leader(alone or {}), *STEADY[1:]]
    ordered = sorted(judged, key=lambda name: steady.index(name) if name in steady else len(steady))
    return next((name for name in ordered if as_good(judged[name], judged[best])), best)


def promised(name: str) -> float:
    """By what the trial of a method must be multiplied for what will serve; see `AVERAGED`."""
    return AVERAGED.get(name, 1.0)


def leader(alone: Mapping[str, Doubles]) -> str | None:
    """The one that no other is as good as; None where several may be the best."""
    if not alone:
        return None
    best = max(alone, key=lambda name: mean(alone[name]))
    rivals = [name for name in alone if name != best and as_good(alone[name], alone[best])]
    return None if rivals else best


def as_good(values: Doubles, best: Doubles) -> bool:
    """Is the paired mean difference to *best* within one standard error."""
    behind = best - values
    behind = behind[~np.isnan(behind)]
    error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else 0.0
    return len(behind) == 0 or bool(behind.mean() <= error)


def mean(values: Doubles) -> float:
    """Mean over the lists that have a value; 0 if none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0
