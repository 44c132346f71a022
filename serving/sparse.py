"""Sums of rows of a sparse matrix for the questions of a batch, by SciPy's compiled loops without its objects.

Building a sparse matrix, checking it and choosing its types costs SciPy more than a small product itself. Here the
loops are called as SciPy calls them: the same numbers are added in the same order.
"""

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse import _sparsetools as loops

from serving import kernels
from serving.arrays import Floats, Ints, Longs

MANY = 16  # questions from which a row of a matrix is read once for all of them


@dataclass(frozen=True)
class Weighted:
    """n rows of weights: row q has *weights* at *columns*, both (nnz,), from indptr[q] to indptr[q + 1]."""

    indptr: Longs
    columns: Ints
    weights: Floats

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def of(self, weights: Floats) -> "Weighted":
        """The same columns with other *weights*."""
        return Weighted(self.indptr, self.columns, weights)


class SparseRows:
    """A (rows, columns) float32 matrix of which questions take few rows."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        self.matrix = matrix
        self.indptr = np.ascontiguousarray(matrix.indptr, dtype=np.int32)
        self.indices = np.ascontiguousarray(matrix.indices, dtype=np.int32)
        self.data = np.ascontiguousarray(matrix.data, dtype=np.float32)
        self.sizes = np.diff(self.indptr)
        self.width: int = matrix.shape[1]
        self._scratch = threading.local()  # zeros between calls: only what a question touches is written and read

    def summed(self, asked: Weighted) -> Floats:
        """(n, columns) for every question the sum of the rows that it names, each times its weight."""
        weights = np.ascontiguousarray(asked.weights, dtype=np.float32)
        rows = np.ascontiguousarray(asked.columns, dtype=np.int32)
        if kernels.there:
            return kernels.added_up(asked.indptr, rows, weights, (self.indptr, self.indices, self.data), self.width)
        out = np.zeros((len(asked), self.width), dtype=np.float32)
        ends = asked.indptr.tolist()
        for q, (start, end) in enumerate(pairwise(ends)):
            if start < end:
                self._add(rows[start:end], weights[start:end], out[q])
        return out

    def touched(self, asked: Weighted) -> list[tuple[Ints, Floats]]:
        """For every question the columns, ascending, that its rows hold, and the sums there that `summed` gives."""
        out = self._scratch.__dict__.pop("out", None)  # after an error it is not put back
        out = np.zeros(self.width, dtype=np.float32) if out is None else out
        weights = np.ascontiguousarray(asked.weights, dtype=np.float32)
        rows = np.ascontiguousarray(asked.columns, dtype=np.int32)
        found = []
        for start, end in pairwise(asked.indptr.tolist()):
            columns = np.sort(self._add(rows[start:end], weights[start:end], out))
            columns = columns[np.diff(columns, prepend=-1) > 0]
            found.append((columns, out[columns]))
            out[columns] = 0
        self._scratch.out = out
        return found

    def product(self, asked: Weighted) -> Weighted:
        """The same sums as sparse rows, without what is zero; columns in no order."""
        most = int(self.sizes[asked.columns].sum())
        rows = np.ascontiguousarray(asked.columns, dtype=np.int32)
        weights = np.ascontiguousarray(asked.weights, dtype=np.float32)
        ends = asked.indptr.astype(np.int32)
        indptr = np.zeros(len(ends), dtype=np.int32)
        columns, sums = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.float32)
        loops.csr_matmat(
            len(asked), self.width, ends, rows, weights, self.indptr, self.indices, self.data, indptr, columns, sums
        )
        return Weighted(indptr.astype(np.int64), columns[: indptr[-1]], sums[: indptr[-1]])

    def _add(self, rows: Ints, weights: Floats, out: Floats) -> Ints:
        """Add the rows, each times its weight, to *out* (columns,); which columns they hold, one after another."""
        ends = np.zeros(len(rows) + 1, dtype=np.int32)
        np.cumsum(self.sizes[rows], out=ends[1:])
        columns, values = np.empty(ends[-1], dtype=np.int32), np.empty(ends[-1], dtype=np.float32)
        loops.csr_row_index(len(rows), rows, self.indptr, self.indices, self.data, columns, values)
        loops.csc_matvec(self.width, len(rows), ends, columns, values, weights, out)
        return columns


def mixed(asked: Weighted, vectors: Floats) -> Floats:
    """(n, d) for every question the sum of the rows of *vectors* (m, d) that it names, each times its weight."""
    n, d = len(asked), vectors.shape[1]
    weights = np.ascontiguousarray(asked.weights, dtype=np.float32)
    rows = np.ascontiguousarray(asked.columns, dtype=np.int32)
    if kernels.there:
        return kernels.mixed(np.ascontiguousarray(asked.indptr, dtype=np.int64), rows, weights, vectors)
    out = np.zeros((n, d), dtype=np.float32)
    loops.csr_matvecs(n, len(vectors), d, asked.indptr.astype(np.int32), rows, weights, vectors.ravel(), out.ravel())
    return out


def along(asked: Weighted, values: Floats) -> Floats:
    """(n,) for every question the sum of the *values* (m,) that it names, each times its weight."""
    out = np.zeros(len(asked), dtype=np.float32)
    loops.csr_matvec(len(asked), len(values), asked.indptr.astype(np.int32), asked.columns, asked.weights, values, out)
    return out


def of_each(matrix: SparseRows, wanted: Floats) -> Floats:
    """(n, rows) products of every row of *matrix* with every one of (n, columns) *wanted*."""
    if len(wanted) >= MANY:
        turned = np.zeros((len(matrix.sizes), len(wanted)), dtype=np.float32)
        loops.csr_matvecs(
            len(turned), matrix.width, len(wanted), matrix.indptr, matrix.indices, matrix.data,
            np.ascontiguousarray(wanted.T, dtype=np.float32).ravel(), turned.ravel(),
        )  # fmt: skip
        return np.ascontiguousarray(turned.T)
    out = np.zeros((len(wanted), len(matrix.sizes)), dtype=np.float32)
    for row, one in zip(out, np.ascontiguousarray(wanted, dtype=np.float32), strict=True):
        loops.csr_matvec(len(matrix.sizes), matrix.width, matrix.indptr, matrix.indices, matrix.data, one, row)
    return out
