"""Sums and products of vectors; vectors.c, sums.c, scan.c."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.kernels.library import (
    BYTE,
    DOUBLE,
    FLOAT,
    INT,
    Array,
    Floats,
    Ints,
    Longs,
    done,
    expect,
    ffi,
    floats,
    ints,
    library,
    longs,
    of,
)

SINGULAR, PAD = -2, -1
SCANS = library is not None and bool(library.scans())  # has the processor what makes `coarse` cheap


def mixed(indptr: Longs, rows: Ints, weights: Floats, vectors: Floats) -> Floats:
    """(n, d) see serving.sparse.mixed."""
    n, d = len(indptr) - 1, vectors.shape[1]
    out = np.empty((n, d), dtype=np.float32)
    library.mixed(
        longs(indptr),
        ints(rows),
        floats(weights),
        n,
        floats(vectors),
        d,
        of(FLOAT, out, True),
    )
    return out


def added_up(indptr: Longs, rows: Ints, weights: Floats, matrix: tuple[Ints, Ints, Floats], width: int) -> Floats:
    """(n, width) see serving.sparse.SparseRows.summed; matrix: its indptr, indices and data."""
    n = len(indptr) - 1
    out = np.zeros((n, width), dtype=np.float32)
    own = ints(matrix[0]), ints(matrix[1]), floats(matrix[2])
    library.added_up(longs(indptr), ints(rows), floats(weights), n, *own, width, of(FLOAT, out, True))
    return out


def crossed(matrix: tuple[Ints, Ints, Floats]) -> Callable[[Longs], npt.NDArray[np.float64]]:
    """See components.train_cf.linear.gatherer; matrix: indptr, indices and data of (n, n) numbers, no place twice."""
    place = np.full(len(matrix[0]) - 1, PAD, dtype=np.int32)
    own, at = (ints(matrix[0]), ints(matrix[1]), floats(matrix[2])), of(INT, place, True)

    def part(chosen: Longs) -> npt.NDArray[np.float64]:
        out = np.zeros((len(chosen), len(chosen)))
        library.crossed(*own, longs(chosen), len(chosen), at, of(DOUBLE, out, True))
        return out

    return part


def folded(indptr: Longs, items: Ints, weights: Floats, factors: Floats, gram: Array, alpha: float) -> Floats | None:
    """(n, d) see serving.members.als.Als.fold_in; None: a system has no one solution."""
    n, d = len(indptr) - 1, factors.shape[1]
    out = np.empty((n, d), dtype=np.float32)
    status = library.folded(
        longs(indptr), ints(items), floats(weights), n, floats(factors), d, of(DOUBLE, gram), alpha,
        of(FLOAT, out, True),
    )  # fmt: skip
    if status == SINGULAR:
        return None
    done(status)
    return out


@dataclass(frozen=True)
class Items:
    """Vectors (v, d) of items, and the same in eight bits, see serving.members.codes.

    codes: (blocks, groups, 16, 4). steps: (v,). place: (n_items,) whose vector an item has; None: its own.
    off: (2, n_items) how far the product with an item may be off: its vector's step, and half the sum of its numbers.
    """

    vectors: Floats
    codes: npt.NDArray[np.uint8]
    steps: Floats
    place: Ints | None
    off: Floats


def coarse(questions: Floats, items: Items, bias: Floats, plain: bool = not SCANS) -> Floats:
    """(n, n_items) products of (n, d) questions with items, plus bias (n_items,), to within rounding."""
    (n, d), (blocks, groups) = questions.shape, items.codes.shape[:2]
    expect(questions, (n, items.vectors.shape[1]))
    expect(items.off, (2, len(bias)))
    found = np.empty((n, len(bias)), dtype=np.float32)
    done(
        library.coarse(
            floats(questions), n, d, of(BYTE, items.codes), blocks, groups, floats(items.steps), len(items.steps),
            _place(items.place), floats(bias), len(bias), plain, of(FLOAT, found, True),
        )
    )  # fmt: skip
    return found


def exact(questions: Floats, vectors: Floats, place: Ints | None, bias: Floats, candidates: Ints) -> Floats:
    """(n, c) products of (n, d) questions with the vectors of the items at (n, c) candidates, plus bias (n_items,).

    place: see `Items`. NaN for padding (-1).
    """
    (n, d), c = questions.shape, candidates.shape[1]
    expect(vectors, (len(vectors), d))
    expect(candidates, (n, c))
    out = np.empty((n, c), dtype=np.float32)
    known = floats(questions), n, d, floats(vectors), _place(place), floats(bias)
    library.exact(*known, ints(candidates), c, of(FLOAT, out, True))
    return out


def refined(questions: Floats, items: Items, bias: Floats, found: Floats, k: int) -> Ints:
    """(n, k) items of the k highest exact products; found: what `coarse` gave, with -inf for what is hidden."""
    (n, d), k = questions.shape, min(k, len(bias))
    out = np.empty((n, k), dtype=np.int32)
    known = floats(questions), n, d, floats(items.vectors), _place(items.place), floats(bias)
    off = floats(items.off[0]), floats(items.off[1])
    done(library.refined(*known, *off, floats(found), len(bias), k, of(INT, out, True)))
    return out


def _place(place: Ints | None) -> Any:
    return ffi.NULL if place is None else ints(place)
