"""The part of a list that decides: its best candidates, what is relevant, and a sample that stands for the rest."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.fuse.lists import Lists
from serving.arrays import Bools, Floats

Doubles = npt.NDArray[np.float64]
BEST, REST = 64, 32  # candidates that are kept for certain, and those that stand for all others
FEWEST_INPUT = 1e-3  # a context column that spreads less is a constant


@dataclass(frozen=True)
class Heads:
    """n lists of m candidates. Loss: -sum_j share_j log softmax(score + bar)_j, see components.fuse.softmax.

    x: (n, m, K * len(USED)). context: (n, m, G). share: (n, m) relevance, rows summing to 1. bar: (n, m) the logarithm
    of how many candidates one stands for, -inf for padding.
    """

    x: Floats
    context: Floats
    share: Floats
    bar: Floats

    def __len__(self) -> int:
        return len(self.share)

    @classmethod
    def of(cls, lists: Lists, weights: Doubles) -> "Heads":
        """The heads by the static (K * len(USED),) *weights*; the sample is even over the ranks: nothing is drawn."""
        n, c, k, used = lists.x.shape
        x = lists.x.reshape(n, c, k * used)
        picked, bar = _picked(x @ weights.astype(np.float32), lists.gain > 0, lists.valid)
        gain = np.take_along_axis(lists.gain, picked, axis=1) * np.isfinite(bar)
        places = picked[:, :, None]
        return cls(
            np.take_along_axis(x, places, axis=1),
            np.take_along_axis(lists.context, places, axis=1),
            gain / gain.sum(axis=1, keepdims=True),
            bar,
        )

    def take(self, rows: npt.NDArray[np.intp] | Bools) -> "Heads":
        """The lists *rows*."""
        return Heads(self.x[rows], self.context[rows], self.share[rows], self.bar[rows])


def _picked(scores: Floats, relevant: Bools, valid: Bools) -> tuple[npt.NDArray[np.intp], Floats]:
    """(n, m) places and (n, m) bars."""
    c = scores.shape[1]
    barred = np.where(valid, scores, np.float32(-np.inf))
    order = np.argsort(-barred, axis=1, kind="stable")
    certain = np.take_along_axis(relevant & valid, order, axis=1)
    certain |= (np.arange(c) < BEST) & np.take_along_axis(valid, order, axis=1)
    order = np.take_along_axis(order, np.argsort(~certain, axis=1, kind="stable"), axis=1)
    known, kept = valid.sum(axis=1)[:, None], certain.sum(axis=1)[:, None]
    width = min(BEST + REST, c)
    others, room = np.maximum(known - kept, 0), np.maximum(width - kept, 1)
    column = np.arange(width)[None, :]
    apart = np.maximum(others / room, 1.0)
    place = np.where(column < kept, column, kept + ((column - kept + 0.5) * apart).astype(np.intp))
    bar = np.where(column < kept, 0.0, np.log(apart))
    bar = np.where(place < known, bar, -np.inf).astype(np.float32)
    return np.take_along_axis(order, np.minimum(place, c - 1), axis=1), bar


def varying(lists: Lists) -> tuple[npt.NDArray[np.intp], Doubles, Doubles]:
    """Columns of the context that differ between candidates, their means and their standard deviations."""
    known = lists.context[lists.valid]
    if not lists.moments or not len(known):
        nothing = np.zeros(0)
        return np.zeros(0, dtype=np.intp), nothing, nothing
    mean, spread = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
    columns = np.flatnonzero(spread > FEWEST_INPUT)
    return columns, mean[columns], spread[columns]
