"""Products and neighbour lists that never hold more than a block of an item-by-item matrix."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from serving.arrays import Bools, Floats, Ints, Longs

WORK = 4_000_000  # multiplications of one block: some 50 MB of products and their places


def top_entries(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Keep the k highest entries above 0 of each row; ties go to the lower column. Columns come out sorted."""
    values = np.asarray(matrix.data, dtype=np.float32)
    kept = _kept(matrix, values, values >= np.repeat(_least(values, matrix.indptr, k), np.diff(matrix.indptr)))
    kept.sort_indices()
    return kept if (np.diff(kept.indptr) <= k).all() else _without_spare_ties(kept, k)


def _least(values: Floats, indptr: npt.NDArray[np.integer], k: int) -> Floats:
    """(n_rows,) what an entry must reach: the row's k-th highest, in short rows the least above 0."""
    least = np.full(len(indptr) - 1, np.nextafter(np.float32(0), np.float32(1)), dtype=np.float32)
    for row in np.flatnonzero(np.diff(indptr) > k):
        own = values[indptr[row] : indptr[row + 1]]
        least[row] = max(least[row], np.partition(own, len(own) - k)[len(own) - k])
    return least


def _kept(matrix: sparse.csr_matrix, values: Floats, keep: Bools) -> sparse.csr_matrix:
    """The entries *keep* (nnz,) of *matrix*, with *values* (nnz,) as its data."""
    before = np.concatenate([[0], np.cumsum(keep)])
    return sparse.csr_matrix((values[keep], matrix.indices[keep], before[matrix.indptr]), shape=matrix.shape)


def _without_spare_ties(kept: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Rows of *kept* hold their k highest and all that equal the last of them: the lowest columns of those stay."""
    sizes = np.diff(kept.indptr)
    least = np.repeat(_least(kept.data, kept.indptr, k), sizes)
    equal = np.cumsum(kept.data == least)
    before = np.concatenate([[0], equal])[kept.indptr[:-1]]
    above = np.bincount(np.repeat(np.arange(len(sizes)), sizes), weights=kept.data > least, minlength=len(sizes))
    room = np.repeat(before + np.where(sizes > k, k - above, sizes), sizes)
    return _kept(kept, kept.data, (kept.data > least) | (equal <= room))


def blocks_of(work: Longs | Ints, limit: int) -> Iterator[tuple[int, int]]:
    """Neighbouring rows [start, end) whose *work* (n_rows,) together stays within *limit*; a heavy row stands alone."""
    done = np.concatenate([[0], np.cumsum(work, dtype=np.int64)])
    start = 0
    while start < len(work):
        end = max(start + 1, int(np.searchsorted(done, done[start] + limit, side="right")) - 1)
        yield start, end
        start = end


def row_blocks(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Iterator[tuple[Longs, sparse.csr_matrix]]:
    """Rows and values of left @ right, a block of rows at a time; a block costs at most WORK multiplications."""
    entries = np.concatenate([[0], np.cumsum(np.diff(right.indptr)[left.indices], dtype=np.int64)])
    for start, end in blocks_of(np.diff(entries[left.indptr]), WORK):
        yield np.arange(start, end), left[start:end] @ right


def without_diagonal(block: sparse.csr_matrix, rows: Longs) -> sparse.csr_matrix:
    """*block* (the rows *rows* of a square matrix) with its diagonal set to 0, in place."""
    own = np.repeat(rows, np.diff(block.indptr)) == block.indices
    block.data[own] = 0.0
    return block


def stacked(blocks: Iterable[sparse.csr_matrix], width: int) -> sparse.csr_matrix:
    """The rows (n, *width*) of all *blocks* below each other; their parts are let go one after the other."""
    indices, data, sizes = [np.empty(0, np.int32)], [np.empty(0, np.float32)], [np.zeros(1, np.int64)]
    for block in blocks:
        indices.append(block.indices)
        data.append(block.data)
        sizes.append(np.diff(block.indptr))
    indptr = np.cumsum(np.concatenate(sizes))
    columns = np.concatenate(indices)
    indices.clear()
    return sparse.csr_matrix((np.concatenate(data), columns, indptr), shape=(len(indptr) - 1, width))
