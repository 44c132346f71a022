"""Array types and the two selections every channel needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from serving import kernels
from serving.compact import widened

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Scalar = TypeVar("Scalar", bound=np.generic)
PAD = -1
MAPPED_BYTES = 1 << 16  # files from this size on are read where they lie
GROUPS = 4  # groups of columns for each place: their maxima tell what the best reach
WIDE = 16  # columns for each place from which that is worth finding
BROAD = 4_096  # columns from which a row is looked at alone; narrower ones together, CELLS at a time
CELLS = 2**18


def stored(path: Path) -> npt.NDArray[Any]:
    """The array of an .npy file; a large one is mapped and read-only: all workers of a machine share its memory.

    One that is kept in fewer bytes is made wide in the memory of whoever reads it; see serving.compact.
    """
    if path.stat().st_size < MAPPED_BYTES:
        return widened(np.asarray(np.load(path, allow_pickle=False)))
    return widened(np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)).view(np.ndarray))


def top_k(scores: Floats, k: int) -> Ints:
    """Columns of the k highest scores per row, best first; ties go to the lower column.

    Args:
        scores: (n, m); NaN and -inf are never chosen.
        k: how many; rows with fewer candidates are padded with -1.

    Returns:
        (n, min(k, m)) int32.
    """
    k = min(k, scores.shape[1])
    if kernels.there:
        return kernels.best(scores, k)
    if k == 0 or scores.shape[1] < WIDE * k:
        return _sorted(scores, k)
    if len(scores) == 0:
        return np.empty((0, k), dtype=np.int32)
    if len(scores) == 1 or scores.shape[1] >= BROAD:
        return np.stack([_of_row(row, k) for row in scores])
    step = CELLS // scores.shape[1]
    return np.concatenate([_of_rows(scores[start : start + step], k) for start in range(0, len(scores), step)])


def _of_row(row: Floats, k: int) -> Ints:
    """(k,) the same of one wide row (m,).

    At least k of it reach the k-th highest of the maxima of GROUPS * k groups of columns; few others do.
    """
    groups = GROUPS * k
    each = len(row) // groups
    highest = np.fmax.reduce(row[: each * groups].reshape(each, groups), axis=0, initial=-np.inf)
    highest.partition(groups - k)
    bound = highest[groups - k]
    chosen = np.flatnonzero(row > bound)
    if len(chosen) < k and bound > -np.inf:
        chosen = np.flatnonzero(row >= bound)  # those that tie for the last places
    order = np.argsort(-row[chosen], kind="stable")[:k]
    found = np.full(k, PAD, dtype=np.int32)
    found[: len(order)] = chosen[order]
    return found


def _of_rows(scores: Floats, k: int) -> Ints:
    """(n, k) the same of rows (n, m) that are not wide, all at once."""
    (n, m), groups = scores.shape, GROUPS * k
    highest = np.fmax(scores[:, :groups], np.float32(-np.inf))
    for start in range(groups, m // groups * groups, groups):
        np.fmax(highest, scores[:, start : start + groups], out=highest)
    highest.partition(groups - k, axis=1)
    bound = highest[:, groups - k, None]
    chosen = scores > bound
    tied = np.flatnonzero((np.count_nonzero(chosen, axis=1) < k) & (bound[:, 0] > -np.inf))
    chosen[tied] = scores[tied] >= bound[tied]
    counts = np.count_nonzero(chosen, axis=1)
    flat = np.flatnonzero(chosen)
    rows = np.repeat(np.arange(n), counts)
    places = np.arange(len(flat)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = max(int(counts.max()), k)
    lowest, columns = np.full((n, width), np.inf, dtype=np.float32), np.full((n, width), PAD, dtype=np.int32)
    lowest[rows, places] = -scores[chosen]
    columns[rows, places] = flat - rows * m
    return at(columns, np.argsort(lowest, axis=1, kind="stable")[:, :k])


def _sorted(scores: Floats, k: int) -> Ints:
    """The same by partition and sort."""
    keyed = np.where(np.isnan(scores), -np.inf, scores)
    part = _best(keyed, k) if k < scores.shape[1] else np.broadcast_to(np.arange(k), keyed.shape).copy()
    values = at(keyed, part)
    order = np.argsort(-values, axis=1, kind="stable")
    chosen = at(part, order).astype(np.int32)
    chosen[np.isneginf(at(values, order))] = PAD
    return chosen


def _counted(cells: Bools) -> Longs:
    """(n,) how many are true in each row: as small numbers, or one by one, several times faster than along an axis."""
    if cells.shape[1] <= np.iinfo(np.int16).max:
        small = np.add.reduce(cells.view(np.int8), axis=1, dtype=np.int16)
        return np.asarray(small, dtype=np.int64)
    return np.array([np.count_nonzero(row) for row in cells], dtype=np.int64)


def _with_lowest(above: Bools, equal: Bools, k: int) -> Bools:
    """*above*, and so many of the lowest columns of *equal* that each row has k."""
    room = k - _counted(above)[:, None]
    chosen: Bools = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room))
    return chosen


def _best(keyed: Floats, k: int) -> Longs:
    """(n, k) columns of each row's k highest, ascending. Which equals argpartition takes depends on the processor."""
    part = np.argpartition(-keyed, k - 1, axis=1)[:, :k]
    last = at(keyed, part).min(axis=1, keepdims=True, initial=np.inf)
    shared = np.flatnonzero((_counted(keyed >= last) > k) & (last[:, 0] > -np.inf))
    rows = keyed[shared]
    chosen = _with_lowest(rows > last[shared], rows == last[shared], k)
    part[shared] = np.nonzero(chosen)[1].reshape(len(shared), k)
    part.sort(axis=1)
    return np.asarray(part, dtype=np.int64)


def at(values: npt.NDArray[Scalar], places: npt.NDArray[np.integer]) -> npt.NDArray[Scalar]:
    """(n, k, ...) of *values* (n, c, ...) those at (n, k) *places*: take_along_axis, with less ado."""
    if len(values) == 1:
        return np.asarray(values[0][places[0]][None])
    return np.asarray(values[np.arange(len(values))[:, None], places])


def gather(scores: Floats, candidates: Ints) -> Floats:
    """Scores at (n, c) *candidates*; NaN where a candidate is padding (-1)."""
    return gather_all([scores], candidates)[:, 0]


def gather_all(rows: Sequence[Floats], candidates: Ints) -> Floats:
    """(n, K, c) of each of K arrays of scores (n, m) those at (n, c) *candidates*; NaN where one is padding (-1)."""
    if kernels.there and rows:
        return kernels.gathered(rows, candidates)
    n, c = candidates.shape
    found = np.empty((n, len(rows), c), dtype=np.float32)
    places = np.maximum(candidates, 0)
    if found.size:
        for column, scores in enumerate(rows):
            for row in range(n):
                scores[row].take(places[row], out=found[row, column], mode="clip")
    found[np.broadcast_to((candidates == PAD)[:, None], found.shape)] = np.nan
    return found
