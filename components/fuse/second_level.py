"""What a model of the second level learns from: the head of every list under a linear blend that has not seen it.

It begins from the linear score, so that it only learns what the linear blend gets wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from components.fuse.lists import Lists
from serving.arrays import Floats
from serving.attention import Look
from serving.blend import Blend
from serving.evidence import Evidence
from serving.trees import head_columns
from serving.verdict import totals

T = TypeVar("T")
Linear = Callable[[Lists], Blend]
Begun = tuple[Blend, "SecondLevel"]

FOLDS = 3
DEPTH = 50  # candidates of the linear blend that are corrected
FEWEST_LISTS = 150  # with fewer to learn from, a second level only learns noise
LOWEST = np.float32(-1e6)  # where a list is shorter than its head


def once(method: Callable[[Lists], T]) -> Callable[[Lists], T]:
    """*method*, which is not asked again for the lists that it was asked for last."""
    last: list[tuple[Lists, T]] = []

    def remembering(lists: Lists) -> T:
        if not last or last[0][0] is not lists:
            last[:] = [(lists, method(lists))]
        return last[0][1]

    return remembering


class Start:
    """A linear blend to start from, and what a second level learns from over it; the last lists' answer is kept.

    linear: the method. of: of lists, the blend fitted on all of them and the second level's lists.
    """

    def __init__(self, linear: Linear, seed: int, of: Callable[[Lists], "Begun"] | None = None) -> None:
        """*linear*: a method. *seed*: of the folds. *of*: where the answer comes from; None: from the method."""
        self.linear = linear
        self.of = of or once(lambda lists: _begun(lists, [linear], seed)[0])

    @classmethod
    def both(cls, one: Linear, other: Linear, seed: int) -> tuple["Start", "Start"]:
        """Two starts; the methods are asked for the same parts one after the other, and may share what they learn."""
        begun = once(lambda lists: _begun(lists, [one, other], seed))
        return cls(one, seed, lambda lists: begun(lists)[0]), cls(other, seed, lambda lists: begun(lists)[1])


def _begun(lists: Lists, linears: Sequence[Linear], seed: int) -> list["Begun"]:
    blends = [linear(lists) for linear in linears]
    return list(zip(blends, SecondLevel.each(lists, linears, DEPTH, seed), strict=True))


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
    def each(cls, lists: Lists, linears: Sequence[Linear], depth: int, seed: int) -> list["SecondLevel"]:
        """Cross-fit every one of *linears* over the lists and take the *depth* best of each."""
        fold = np.random.default_rng(seed).permutation(len(lists)) % FOLDS
        heads: list[list[_Head]] = [[] for _ in linears]
        for number in range(FOLDS):
            part, evidence = lists.take(fold != number), lists.take(fold == number).evidence()
            for linear, found in zip(linears, heads, strict=True):
                found.append(_Head.of(linear(part), evidence, min(depth, lists.valid.shape[1])))
        return [cls._of(lists, found, np.argsort(fold, kind="stable")) for found in heads]

    @classmethod
    def _of(cls, lists: Lists, heads: Sequence["_Head"], by_fold: npt.NDArray[np.intp]) -> "SecondLevel":
        order, start, columns = (np.concatenate(parts) for parts in zip(*heads, strict=True))
        gain = np.take_along_axis(lists.gain[by_fold], order, axis=1)
        grades = np.log2(1 + gain).round().astype(np.int32)
        teaches = np.flatnonzero((grades > 0).any(axis=1))
        rows = by_fold[teaches]
        look = Look.nothing(len(rows), order.shape[1])
        if lists.traces is not None:
            look = Look.of(lists.traces.take(rows).of_places(order[teaches]))
        return cls(columns[teaches], grades[teaches], np.maximum(start[teaches], LOWEST), look)


class _Head(NamedTuple):
    """Of the lists of one fold, in order: the places of the best, their scores, and their columns."""

    order: npt.NDArray[np.intp]
    start: Floats
    columns: Floats

    @classmethod
    def of(cls, blend: Blend, evidence: Evidence, depth: int) -> "_Head":
        total = np.where(evidence.valid, totals(blend, evidence), np.float32(-np.inf))
        order = np.argsort(-total, axis=1, kind="stable")[:, :depth]
        return cls(order, np.take_along_axis(total, order, axis=1), head_columns(evidence, total, order))
