"""Array types and the two selections every channel needs."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PAD = -1


def top_k(scores: Floats, k: int) -> Ints:
    """Columns of the k highest scores per row, best first; ties go to the lower column.

    Args:
        scores: (n, m); NaN and -inf are never chosen.
        k: how many; rows with fewer candidates are padded with -1.

    Returns:
        (n, min(k, m)) int32.
    """
    k = min(k, scores.shape[1])
    keyed = np.where(np.isnan(scores), -np.inf, scores)
    part = _best(keyed, k) if k < scores.shape[1] else np.broadcast_to(np.arange(k), keyed.shape).copy()
    values = np.take_along_axis(keyed, part, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    chosen = np.take_along_axis(part, order, axis=1).astype(np.int32)
    chosen[np.isneginf(np.take_along_axis(values, order, axis=1))] = PAD
    return chosen


def _best(keyed: Floats, k: int) -> Longs:
    """(n, k) columns of each row's k highest, ascending. Which equals argpartition takes depends on the processor."""
    part = np.argpartition(-keyed, k - 1, axis=1)[:, :k]
    last = np.take_along_axis(keyed, part, axis=1).min(axis=1, keepdims=True, initial=np.inf)
    shared = np.flatnonzero((np.count_nonzero(keyed >= last, axis=1) > k) & (last[:, 0] > -np.inf))
    rows = keyed[shared]
    above, equal = rows > last[shared], rows == last[shared]
    room = k - np.count_nonzero(above, axis=1)[:, None]
    lowest = equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room)
    part[shared] = np.nonzero(above | lowest)[1].reshape(len(shared), k)
    part.sort(axis=1)
    return np.asarray(part, dtype=np.int64)


def gather(scores: Floats, candidates: Ints) -> Floats:
    """Scores at (n, c) *candidates*; NaN where a candidate is padding (-1)."""
    taken = np.take_along_axis(scores, np.maximum(candidates, 0), axis=1)
    return np.where(candidates == PAD, np.float32(np.nan), taken)
