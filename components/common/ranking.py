"""The ranking measure that fitting and evaluation share."""

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def discounts(k: int) -> Doubles:
    """(k,) 1 / log2(position + 1) for positions 1..k."""
    weight: Doubles = 1.0 / np.log2(np.arange(2, k + 2, dtype=np.float64))
    return weight


def gains(grades: npt.NDArray[np.floating]) -> Doubles:
    """2^grade - 1: a binary relevance of 1 gains 1, a grade of 3 gains 7; grades of 0 or below gain nothing."""
    gained: Doubles = np.exp2(np.maximum(grades, 0).astype(np.float64)) - 1.0
    return gained


def ndcg_at(labels: npt.NDArray[np.floating], n_relevant: npt.NDArray[np.integer], k: int) -> Doubles:
    """Normalised discounted cumulative gain of the first *k* positions.

    Args:
        labels: (n, m) relevance of the items in rank order, best first: 0/1 or graded; padding is 0. k may exceed m.
        n_relevant: (n,) how many items are relevant to each query, in the list or not. Those that the list does not
            hold count as grade 1 in the ideal list. Never fewer than the list itself holds.
        k: cut-off, at least 1.

    Returns:
        (n,) values in [0, 1]; NaN where nothing is relevant.

    Raises:
        ValueError: k < 1, or the lengths differ.
    """
    if k < 1 or len(labels) != len(n_relevant):
        raise ValueError(f"ndcg_at: found k={k}, {len(labels)} lists, {len(n_relevant)} counts; expected k>=1, equal.")
    weight = discounts(k)
    listed = gains(labels)
    got = listed[:, :k] @ weight[: min(k, labels.shape[1])]
    ideal = _ideal(listed, n_relevant, k) @ weight
    share: Doubles = np.divide(got, ideal, out=np.full(len(labels), np.nan), where=ideal > 0)
    return share


def _ideal(listed: Doubles, n_relevant: npt.NDArray[np.integer], k: int) -> Doubles:
    """(n, k) gains of the best possible order: the listed ones descending, then grade 1 for what is not listed."""
    if not listed.size or listed.max(initial=0.0) <= 1.0 == listed[listed > 0].min(initial=1.0):
        total = np.maximum(n_relevant, (listed > 0).sum(axis=1))
        flat: Doubles = (np.arange(k) < total[:, None]).astype(np.float64)
        return flat
    missing = np.maximum(n_relevant - (listed > 0).sum(axis=1), 0)
    unlisted = (np.arange(k) < missing[:, None]).astype(np.float64)
    both = np.concatenate([listed, unlisted], axis=1)
    best: Doubles = -np.sort(-both, axis=1)[:, :k]
    return best
