"""Cross-fitting: learn on some lists, judge on the others by NDCG@10."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from components.common.ranking import ndcg_at
from components.fuse.lists import FitSet, Lists
from components.fuse.methods import Method
from serving.arrays import PAD, Ints, top_k
from serving.blend import Blend
from serving.verdict import totals

Doubles = npt.NDArray[np.float64]
K = 10
FEWEST_OF_WINDOW = 200  # lists in every window; with fewer, one window alone is too little to learn from


def held_out(sets: Sequence[FitSet], folds: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Fold of every list: each window in turn where there are several to learn from, else *folds* parts of the users.

    What is learned of a window holds for all its users, also for those held out: what sold in those weeks. Only
    another window tells what will hold in the next one.
    """
    if len(sets) > 1 and min(len(fit) for fit in sets) >= FEWEST_OF_WINDOW:
        return [np.full(len(fit), number, dtype=np.int64) for number, fit in enumerate(sets)]
    return fold_of([fit.groups for fit in sets], folds, seed)


def fold_of(groups: Sequence[npt.NDArray[np.int64]], folds: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Fold 0..folds-1 of every list; equal groups share a fold, folds differ by at most one group in size."""
    distinct, place = np.unique(np.concatenate(groups), return_inverse=True)
    number = np.random.default_rng(seed).permutation(len(distinct)) % folds
    ends = np.cumsum([len(part) for part in groups])[:-1]
    return np.split(number[place], ends)


def count(folds: Sequence[npt.NDArray[np.int64]]) -> int:
    """How many folds there are."""
    return 1 + max(int(fold.max(initial=0)) for fold in folds)


def cross_fit(
    sets: Sequence[FitSet],
    folds: list[npt.NDArray[np.int64]],
    lists: Lists,
    known: Mapping[str, Method],
    fixed: Mapping[str, Blend],
) -> list[dict[str, Blend]]:
    """By fold, every method's blend learned on the other folds."""
    by_list = [
        dict(zip(fit.groups.tolist(), fold.tolist(), strict=True)) for fit, fold in zip(sets, folds, strict=True)
    ]
    taught = zip(lists.windows.tolist(), lists.groups.tolist(), strict=True)
    of_list = np.array([by_list[window][group] for window, group in taught], dtype=np.int64)
    blends = []
    for fold in range(count(folds)):
        training = lists.take(of_list != fold)
        learned = {name: method(training) for name, method in known.items()} if len(training) else {}
        blends.append(dict(fixed) | learned)
    common = [name for name in (*fixed, *known) if all(name in table for table in blends)]
    return [{name: table[name] for name in common} for table in blends]


def judge(
    sets: Sequence[FitSet], folds: list[npt.NDArray[np.int64]], blends: Sequence[Mapping[str, Blend]]
) -> dict[str, Doubles]:
    """By method: NDCG@10 of every list of all sets in order, under the blend of the list's own fold."""
    found = {name: [np.full(len(fit), np.nan) for fit in sets] for name in blends[0]}
    for number, (fit, fold) in enumerate(zip(sets, folds, strict=True)):
        for number_of_fold, table in enumerate(blends):
            for rows, evidence in fit.chunks(np.flatnonzero(fold == number_of_fold)):
                for name, blend in table.items():
                    found[name][number][rows] = ndcg_of(fit.take(rows), totals(blend, evidence))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def judge_alone(sets: Sequence[FitSet]) -> dict[str, Doubles]:
    """By member: NDCG@10 of every list of all sets in order, ranked by that member's raw scores alone."""
    members = sets[0].members
    every = {name: [ndcg_of(fit, fit.scores[:, :, place]) for fit in sets] for place, name in enumerate(members)}
    return {name: np.concatenate(parts) for name, parts in every.items()}


def ndcg_of(fit: FitSet, scores: npt.NDArray[np.float32]) -> Doubles:
    """(n,) NDCG@10 of lists in the order of *scores* (n, c); the ideal order knows every grade, shown or not."""
    return ndcg_in_order(fit, top_k(np.where(fit.valid, scores, np.float32(-np.inf)), depth_of(fit)))


def depth_of(fit: FitSet) -> int:
    """How many places of an order NDCG@10 has to know: a binary ideal needs no more than n_relevant."""
    return K if fit.labels.max(initial=0) <= 1 else fit.labels.shape[1]


def ndcg_in_order(fit: FitSet, order: Ints) -> Doubles:
    """(n,) NDCG@10 of places in order, best first, -1 after the last."""
    labels = np.where(order == PAD, 0, np.take_along_axis(fit.labels, np.maximum(order, 0), axis=1))
    return ndcg_at(labels, fit.n_relevant, K)
