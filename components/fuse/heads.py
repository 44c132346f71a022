"""The part of a list that decides: its best candidates by the static blend.

A loss over all candidates is mostly about those that nobody will see. Weights learned on the heads alone, of the lists
that hold something relevant there, order the top better.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.fuse.lists import USED, Lists, table
from components.fuse.softmax import Listwise, fit_free
from serving.arrays import Bools, Floats, top_k
from serving.blend import Blend

Doubles = npt.NDArray[np.float64]
DEPTH = 100
L2 = 1e-3
FEWEST_INPUT = 1e-3  # a context column that spreads less is a constant


@dataclass(frozen=True)
class Heads:
    """n lists of m candidates, best first.

    x: (n, m, K * len(USED)). context: (n, m, G). share: (n, m) relevance, rows summing to 1. bar: (n, m) 0, or -inf
    for padding. rows: (n,) which lists they are the heads of.
    """

    x: Floats
    context: Floats
    share: Floats
    bar: Floats
    rows: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, lists: Lists, weights: Doubles, depth: int = DEPTH) -> "Heads":
        """The *depth* best by the (K * len(USED),) *weights*; lists with nothing relevant among them are left out."""
        x = lists.x.reshape(*lists.gain.shape, -1)
        scores = np.where(lists.valid, x @ weights.astype(np.float32), np.float32(-np.inf))
        best = top_k(scores, depth).astype(np.intp)
        places = np.maximum(best, 0)
        gain = np.where(best < 0, np.float32(0), np.take_along_axis(lists.gain, places, axis=1))
        rows = np.flatnonzero(gain.any(axis=1))
        kept, gain = places[rows, :, None], gain[rows]
        return cls(
            x=np.take_along_axis(x[rows], kept, axis=1),
            context=np.take_along_axis(lists.context[rows], kept, axis=1),
            share=gain / gain.sum(axis=1, keepdims=True),
            bar=np.where(best[rows] < 0, -np.inf, 0.0).astype(np.float32),
            rows=rows,
        )

    def take(self, rows: npt.NDArray[np.intp] | Bools) -> "Heads":
        """The heads *rows*."""
        return Heads(self.x[rows], self.context[rows], self.share[rows], self.bar[rows], self.rows[rows])

    @property
    def listwise(self) -> Listwise:
        """Their loss by static weights."""
        return Listwise(self.x.reshape(-1, self.x.shape[2]), self.share, self.bar)


Learned = tuple[Doubles, Heads]
Learn = Callable[[Lists], Learned]  # `head_weights`, or what remembers its answer


def head_weights(lists: Lists) -> Learned:
    """(K * len(USED),) listwise weights learned on heads, and the heads, taken by weights learned on all."""
    n, c, k, used = lists.x.shape
    static = fit_free(Listwise.of(lists.x.reshape(n, c, k * used), lists.gain, lists.valid), L2)
    heads = Heads.of(lists, static)
    return (fit_free(heads.listwise, L2) if len(heads) else static), heads


def softmax_head(lists: Lists, kind: str = "softmax_head", learn: Learn = head_weights) -> Blend:
    """Listwise weights of any sign that were learned on the heads of the lists, by *learn*."""
    weights, _ = learn(lists)
    return Blend(kind=kind, members=lists.members, weights=table(weights.reshape(-1, len(USED)), USED))


def varying(lists: Lists) -> tuple[npt.NDArray[np.intp], Doubles, Doubles]:
    """Columns of the context that differ between candidates, their means and their standard deviations."""
    known = lists.context[lists.valid]
    if not lists.moments or not len(known):
        nothing = np.zeros(0)
        return np.zeros(0, dtype=np.intp), nothing, nothing
    mean, spread = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
    columns = np.flatnonzero(spread > FEWEST_INPUT)
    return columns, mean[columns], spread[columns]
