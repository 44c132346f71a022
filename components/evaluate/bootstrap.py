"""How sure is a gain? Users are drawn again and again, both rankings judged on the same draw."""

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
    both = ~(np.isnan(challenger) | np.isnan(champion))
    ours, theirs = challenger[both], champion[both]
    if not len(ours):
        return None
    one, other = _resampled_means(np.stack([ours, theirs], axis=1), seed, resamples).T
    difference = _interval(float(ours.mean() - theirs.mean()), one - other)
    if theirs.mean() <= 0:
        return Paired(difference, None, len(ours))
    usable = other > 0
    relative = _interval(float(ours.mean() / theirs.mean() - 1), one[usable] / other[usable] - 1)
    return Paired(difference, relative, len(ours))


def _resampled_means(values: Doubles, seed: int, resamples: int) -> Doubles:
    """(resamples, columns) means of rows drawn with replacement."""
    draw = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    at_once = max(1, CHUNK // len(values))
    for start in range(0, resamples, at_once):
        stop = min(start + at_once, resamples)
        rows = draw.integers(len(values), size=(stop - start, len(values)))
        means[start:stop] = values[rows].mean(axis=1)
    return means


def _interval(value: float, draws: Doubles) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value, float(low), float(high))
