"""Products and neighbour lists that never hold a whole dense item-by-item matrix."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from serving.arrays import PAD, Floats, Longs, top_k

BLOCK_CELLS = 16_000_000  # cells of one dense block of rows: 64 MB
DENSE = 0.05  # from this share of non-zeros a dense selection is quicker


def top_entries(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Keep the k highest entries above 0 of each row; ties go to the lower column. Columns come out sorted."""
    if matrix.nnz > DENSE * matrix.shape[0] * matrix.shape[1]:
        rows, columns, values = _top_dense(matrix.toarray(), k)
    else:
        rows, columns, values = _top_sparse(matrix, k)
    kept = sparse.csr_matrix((values.astype(np.float32), (rows, columns)), shape=matrix.shape)
    kept.sort_indices()
    return kept


def _top_dense(block: Floats, k: int) -> tuple[Longs, Longs, Floats]:
    """Rows, columns and values of the k highest of each row of a dense block."""
    chosen = top_k(np.where(block > 0, block, -np.inf), k)
    rows, places = np.nonzero(chosen != PAD)
    columns = chosen[rows, places].astype(np.int64)
    return rows, columns, block[rows, columns]


def _top_sparse(matrix: sparse.csr_matrix, k: int) -> tuple[Longs, Longs, Floats]:
    """The same from the stored entries alone."""
    matrix.sort_indices()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, rows))
    rank = np.arange(matrix.nnz) - matrix.indptr[:-1][rows]
    chosen = order[(rank < k) & (matrix.data[order] > 0)]
    return rows[chosen], matrix.indices[chosen], matrix.data[chosen]


def row_blocks(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Iterator[tuple[Longs, sparse.csr_matrix]]:
    """Rows and values of left @ right, a block of rows at a time."""
    step = max(1, BLOCK_CELLS // max(right.shape[1], 1))
    for start in range(0, left.shape[0], step):
        rows = np.arange(start, min(start + step, left.shape[0]))
        yield rows, left[rows[0] : rows[-1] + 1] @ right


def without_diagonal(block: sparse.csr_matrix, rows: Longs) -> sparse.csr_matrix:
    """*block* (the rows *rows* of a square matrix) with its diagonal set to 0, in place."""
    own = np.repeat(rows, np.diff(block.indptr)) == block.indices
    block.data[own] = 0.0
    return block
