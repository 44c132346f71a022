"""How sure is a gain? Users are drawn again and again, both rankings judged on the same draw."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from components.common.ranking import Doubles

RESAMPLES = 2_000
FEWEST = 6  # of fewer pairs even a unanimous verdict falls to chance once in 32 times: more than 2.5%
CHUNK = 2_000_000  # draws held in memory at once


class Interval(NamedTuple):
    """A value with its 95% interval."""

    value: float
    low: float
    high: float


class Paired(NamedTuple):
    """Challenger against champion on the same users: the difference of means, and that relative to the champion's."""

    difference: Interval
    relative: Interval | None  # None where the champion's mean is 0
    pairs: int = FEWEST  # users or queries with both values


def paired(challenger: Doubles, champion: Doubles, seed: int, resamples: int = RESAMPLES) -> Paired | None:
    """Percentile bootstrap of the mean difference over users.

    Args:
        challenger: (n,) one value per user; a user without a value on either side is left out.
        champion: (n,) the other's values for the same users, in the same order.
        seed: the draw follows from it.
        resamples: how many draws.

    Returns:
        None when nobody has both values.
    """
    return all_paired({"": challenger}, champion, seed, resamples).get("")


def all_paired(
    challengers: Mapping[str, Doubles], champion: Doubles, seed: int, resamples: int = RESAMPLES
) -> dict[str, Paired]:
    """The same of several challengers, by name, on one draw; a user whom any of them lacks is left out of all.

    Returns:
        Nothing when nobody has every value.
    """
    values = np.stack([champion, *challengers.values()], axis=1)
    values = values[~np.isnan(values).any(axis=1)]
    if not len(values):
        return {}
    theirs, ours = values[:, 0], values.T[1:]
    drawn = _resampled_means(np.column_stack([theirs, values[:, 1:] - theirs[:, None]]), seed, resamples)
    found = [_pair(one, theirs, gained, drawn[:, 0]) for one, gained in zip(ours, drawn.T[1:], strict=True)]
    return dict(zip(challengers, found, strict=True))


def _pair(ours: Doubles, theirs: Doubles, gained: Doubles, other: Doubles) -> Paired:
    """Of both sides' values by user; by draw, the mean gained and the champion's own."""
    difference = _interval(float(ours.mean() - theirs.mean()), gained)
    if theirs.mean() <= 0:
        return Paired(difference, None, len(ours))
    usable = other > 0
    relative = _interval(float(ours.mean() / theirs.mean() - 1), gained[usable] / other[usable])
    return Paired(difference, relative, len(ours))


def _resampled_means(values: Doubles, seed: int, resamples: int) -> Doubles:
    """(resamples, columns) means of rows drawn with replacement: how often each was drawn, times its values."""
    draw = np.random.default_rng(seed)
    n = len(values)
    means = np.empty((resamples, values.shape[1]))
    at_once = max(1, CHUNK // n)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        rows = draw.integers(n, size=(size, n))
        rows += np.arange(size)[:, None] * n
        often = np.bincount(rows.ravel(), minlength=size * n).reshape(size, n)
        means[start : start + size] = often.astype(np.float64) @ values / n
    return means


def _interval(value: float, draws: Doubles) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value, float(low), float(high))
