"""Ranking metrics over whole arrays of users; every function gives one number per user, NaN where it is undefined.

Decided aloud: a list shorter than k keeps its empty places, which count as misses; a user to whom nothing is relevant
has no value and is left out of means; equal scores rank by catalogue row, and count one half in the AUC.
"""

import numpy as np
import numpy.typing as npt

from components.common.ranking import Doubles, discounts, ndcg_at
from serving.arrays import PAD, Bools, Floats, Ints, Longs

CUTOFFS = (5, 10, 20)
LONGEST = max(CUTOFFS)
NOT_SCORED = np.finfo(np.float32).min


def relevance_metrics(hits: Bools, n_relevant: Longs, cutoffs: tuple[int, ...] = CUTOFFS) -> dict[str, Doubles]:
    """All metrics that ask whether a listed item is relevant.

    Args:
        hits: (n, m) is the item at this position relevant, best first; padding is False.
        n_relevant: (n,) how many items are relevant, listed or not.
        cutoffs: the k of "ndcg@k" and so on; each may be below or above m.

    Returns:
        By "metric@k", and "accuracy@1": (n,).
    """
    some = n_relevant > 0
    values: dict[str, Doubles] = {"accuracy@1": _where(some, _padded(hits, 1)[:, 0].astype(np.float64))}
    for k in cutoffs:
        listed = _padded(hits, k)
        found = listed.sum(axis=1, dtype=np.float64)
        precision, recall = found / k, _ratio(found, n_relevant)
        values |= {
            f"precision@{k}": _where(some, precision),
            f"recall@{k}": recall,
            f"f1@{k}": _where(some, _ratio(2 * found, k + n_relevant)),
            f"hit@{k}": _where(some, (found > 0).astype(np.float64)),
            f"ndcg@{k}": ndcg_at(listed.astype(np.float32), n_relevant, k),
            f"map@{k}": average_precision(listed, n_relevant),
            f"mrr@{k}": _where(some, reciprocal_rank(listed)),
        }
    return values


def average_precision(listed: Bools, n_relevant: Longs) -> Doubles:
    """(n,) mean of the precision at each hit, over min(relevant, list length): 1 when the list could not be better."""
    length = listed.shape[1]
    precision = np.cumsum(listed, axis=1) / np.arange(1, length + 1)
    return _ratio((precision * listed).sum(axis=1), np.minimum(n_relevant, length))


def reciprocal_rank(listed: Bools) -> Doubles:
    """(n,) 1 / position of the first hit; 0 without one."""
    first = listed.argmax(axis=1) + 1.0
    return np.where(listed.any(axis=1), 1.0 / first, 0.0)


def graded_ndcg(grades: npt.NDArray[np.floating], ideal: npt.NDArray[np.floating], k: int) -> Doubles:
    """(n,) NDCG with gains 2^grade - 1 where every grade is known; NaN where none is above 0.

    Args:
        grades: (n, m) in rank order, padding 0.
        ideal: (n, j) all judged grades of the query in any order, padding 0.
        k: cut-off.
    """

    def gained(values: npt.NDArray[np.floating]) -> Doubles:
        top = values[:, :k]
        total: Doubles = (np.exp2(top.astype(np.float64)) - 1.0) @ discounts(k)[: top.shape[1]]
        return total

    best = -np.sort(-np.asarray(ideal), axis=1)
    return _ratio(gained(np.asarray(grades)), gained(best))


def eligible(scores: Floats, rows: Longs, items: Ints) -> Longs:
    """(n,) items that may be shown (not -inf) or are relevant; arguments as in `auc`."""
    shown = np.array([row.size - np.count_nonzero(row == -np.inf) for row in scores], dtype=np.int64)
    return shown + np.bincount(rows[scores[rows, items] == -np.inf], minlength=len(scores))


def auc(scores: Floats, rows: Longs, items: Ints, shown: Longs | None = None) -> Doubles:
    """Chance that a relevant item scores above another item of the catalogue, ties one half.

    Args:
        scores: (n, n_items); -inf = may not be shown, left out; NaN = not scored, below all that are. A relevant item
            that may not be shown counts as not scored.
        rows: (p,) ascending query rows of the relevant (row, item) pairs, without repetition.
        items: (p,) their items.
        shown: (n,) what `eligible` says of these arguments, where it is known already.

    Returns:
        (n,); NaN where nothing, or everything, is relevant.
    """
    values = np.fmax(scores[rows, items], NOT_SCORED)
    n_relevant = np.bincount(rows, minlength=len(scores))
    shown = eligible(scores, rows, items) if shown is None else shown
    if n_relevant.max(initial=0) <= 1:
        above, at_least = _count_by_scan(scores, rows, values, shown)
    else:
        keyed = np.where(np.isnan(scores), NOT_SCORED, scores)
        keyed[rows, items] = values
        above, at_least = _count_by_sort(keyed, rows, values)
    beaten_by = np.bincount(rows, weights=0.5 * (above + at_least - 1), minlength=len(scores))
    others = n_relevant * (n_relevant - 1) / 2  # pairs of two relevant items: each adds exactly one, in any order
    pairs = n_relevant * (shown - n_relevant)
    return 1.0 - _ratio(beaten_by - others, pairs)


def _count_by_scan(scores: Floats, rows: Longs, values: Floats, shown: Longs) -> tuple[Longs, Longs]:
    """Items above and at least at each pair's value, row by row without a copy: at most one pair a row."""
    above, at_least = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
    for pair, (row, value) in enumerate(zip(rows, values, strict=True)):
        above[pair] = np.count_nonzero(scores[row] > value)
        at_least[pair] = np.count_nonzero(scores[row] >= value)
    last = values == NOT_SCORED  # ties with all that were not scored: everything eligible is at least that
    at_least[last] = shown[rows[last]]
    return above, at_least


def _count_by_sort(keyed: Floats, rows: Longs, values: Floats) -> tuple[Longs, Longs]:
    """The same by sorting each row once and searching all pairs together."""
    ordered = np.sort(keyed, axis=1)
    width = ordered.shape[1]
    above = width - _search(ordered, rows, values, after_equals=True)
    at_least = width - _search(ordered, rows, values, after_equals=False)
    return above, at_least


def _search(ordered: Floats, rows: Longs, values: Floats, after_equals: bool) -> Longs:
    """numpy.searchsorted for many rows at once: (p,) insertion places of *values* in *ordered*[rows]."""
    low = np.zeros(len(rows), dtype=np.int64)
    high = np.full(len(rows), ordered.shape[1], dtype=np.int64)
    while (open_ := low < high).any():
        middle = (low + high) // 2
        found = ordered[rows, np.minimum(middle, ordered.shape[1] - 1)]
        right = open_ & ((found <= values) if after_equals else (found < values))
        low, high = np.where(right, middle + 1, low), np.where(open_ & ~right, middle, high)
    return low


def coverage(items: Ints, n_items: int, k: int) -> float:
    """Share of the catalogue that appears in anybody's first *k* places; *items* (n, m), -1 is padding."""
    shown = items[:, :k]
    return len(np.unique(shown[shown != PAD])) / n_items if n_items else float("nan")


def diversity(items: Ints, groups: npt.NDArray[np.integer], k: int) -> Doubles:
    """(n,) share of pairs in the first *k* places whose items are of different groups; NaN below two items.

    Args:
        items: (n, m) catalogue rows, -1 is padding.
        groups: (n_items,) group of every item, e.g. its category; -1 = of no group, unlike any other.
        k: cut-off.
    """
    shown = items[:, :k]
    known = shown != PAD
    group = np.where(known, groups[np.maximum(shown, 0)], PAD)
    same = (group[:, :, None] == group[:, None, :]) & (group != PAD)[:, :, None]
    length = known.sum(axis=1)
    repeated = same.sum(axis=(1, 2)) - (group != PAD).sum(axis=1)
    return 1.0 - _ratio(repeated, length * (length - 1))


def novelty(items: Ints, popularity: npt.NDArray[np.number], n_users: int, k: int) -> Doubles:
    """(n,) mean surprise -log2 p of the first *k* items, p = (users who met the item + 1) / (users + 1)."""
    shown = items[:, :k]
    known = shown != PAD
    surprise = -np.log2((np.asarray(popularity, dtype=np.float64) + 1.0) / (n_users + 1.0))
    total = np.where(known, surprise[np.maximum(shown, 0)], 0.0).sum(axis=1)
    return _ratio(total, known.sum(axis=1))


def mean(values: Doubles) -> float | None:
    """Mean over those who have a value; None if nobody has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _padded(hits: Bools, k: int) -> Bools:
    if hits.shape[1] >= k:
        return hits[:, :k]
    return np.pad(hits, ((0, 0), (0, k - hits.shape[1])))


def _ratio(top: npt.NDArray[np.number], bottom: npt.NDArray[np.number]) -> Doubles:
    out = np.full(np.broadcast_shapes(np.shape(top), np.shape(bottom)), np.nan)
    result: Doubles = np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return result


def _where(some: Bools, values: Doubles) -> Doubles:
    return np.where(some, values, np.nan)
