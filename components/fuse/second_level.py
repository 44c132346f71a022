"""What a model of the second level learns from: the head of every list under a linear blend that has not seen it.

It begins from the linear score, so that it only learns what the linear blend gets wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.fuse.lists import Lists
from serving.arrays import Floats
from serving.attention import Look
from serving.blend import Blend
from serving.trees import head_columns
from serving.verdict import totals

FOLDS = 3
DEPTH = 50  # candidates of the linear blend that are corrected
FEWEST_LISTS = 150  # with fewer to learn from, a second level only learns noise
LOWEST = np.float32(-1e6)  # where a list is shorter than its head


def once(method: Callable[[Lists], Blend]) -> Callable[[Lists], Blend]:
    """*method*, which is not asked again for the lists that it was asked for last."""
    last: list[tuple[Lists, Blend]] = []

    def remembering(lists: Lists) -> Blend:
        if not last or last[0][0] is not lists:
            last[:] = [(lists, method(lists))]
        return last[0][1]

    return remembering


class Start:
    """A linear blend to start from, and what a second level learns from over it; the last lists' answer is kept."""

    def __init__(self, linear: Callable[[Lists], Blend], seed: int) -> None:
        """*linear*: a method. *seed*: of the folds."""
        self.linear, self.seed = linear, seed
        self._last: tuple[Lists, Blend, SecondLevel] | None = None

    def of(self, lists: Lists) -> tuple[Blend, "SecondLevel"]:
        """The blend fitted on all *lists*, and the second level's lists."""
        if self._last is None or self._last[0] is not lists:
            self._last = lists, self.linear(lists), SecondLevel.of(lists, self.linear, DEPTH, self.seed)
        return self._last[1:]


@dataclass(frozen=True)
class SecondLevel:
    """Of n lists with something relevant in their heads of m candidates, best first.

    columns: (n, m, columns), see serving.trees. grades: (n, m) log2(1 + gain). linear: (n, m) the score to begin from.
    look: the users' histories beside the candidates.
    """

    columns: Floats
    grades: npt.NDArray[np.int32]
    linear: Floats
    look: Look

    def __len__(self) -> int:
        return len(self.columns)

    @classmethod
    def of(cls, lists: Lists, linear: Callable[[Lists], Blend], depth: int, seed: int) -> "SecondLevel":
        """Cross-fit *linear* over the lists and take the *depth* best of each."""
        depth = min(depth, lists.valid.shape[1])
        fold = np.random.default_rng(seed).permutation(len(lists)) % FOLDS
        order = np.zeros((len(lists), depth), dtype=np.intp)
        start = np.zeros((len(lists), depth), dtype=np.float32)
        columns = []
        for number in range(FOLDS):
            rows = np.flatnonzero(fold == number)
            blend, evidence = linear(lists.take(fold != number)), lists.take(rows).evidence()
            total = np.where(evidence.valid, totals(blend, evidence), np.float32(-np.inf))
            order[rows] = np.argsort(-total, axis=1, kind="stable")[:, :depth]
            start[rows] = np.take_along_axis(total, order[rows], axis=1)
            columns.append(head_columns(evidence, total, order[rows]))
        by_fold = np.argsort(fold, kind="stable")
        grades = np.log2(1 + np.take_along_axis(lists.gain, order, axis=1)).round().astype(np.int32)[by_fold]
        teaches = np.flatnonzero((grades > 0).any(axis=1))
        rows = by_fold[teaches]
        look = Look.nothing(len(rows), depth)
        if lists.traces is not None:
            look = Look.of(lists.traces.take(rows).of_places(order[rows]))
        return cls(np.concatenate(columns)[teaches], grades[teaches], np.maximum(start[rows], LOWEST), look)
