import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from components.train_cf import pruning
from components.train_cf.item_knn import bm25
from components.train_cf.pruning import blocks_of, row_blocks, top_entries, without_diagonal


@pytest.mark.parametrize("density", [0.02, 0.9])
@pytest.mark.parametrize("k", [1, 5, 500])
def test_the_best_entries_are_kept_sparse_or_dense(density: float, k: int) -> None:
    matrix = sparse.random(60, 300, density=density, random_state=1, format="csr", dtype=np.float32)
    matrix.data -= np.float32(0.2)
    kept = top_entries(matrix, k).toarray()
    for row, found in zip(matrix.toarray(), kept, strict=True):
        best = sorted((value for value in row if value > 0), reverse=True)[:k]
        assert sorted((value for value in found if value != 0), reverse=True) == best


def test_the_lower_column_wins_a_tie() -> None:
    assert top_entries(sparse.csr_matrix([[2.0, 1.0, 1.0]]), 2).toarray().tolist() == [[2.0, 1.0, 0.0]]


@given(arrays(np.int8, st.tuples(st.integers(1, 6), st.integers(1, 8)), elements=st.integers(-1, 3)), st.integers(1, 8))
def test_ties_anywhere_go_to_the_lower_column(dense: npt.NDArray[np.int8], k: int) -> None:
    shuffled = sparse.coo_matrix(dense[:, ::-1].astype(np.float32)).tocsr()
    turned = sparse.csr_matrix(
        (shuffled.data, dense.shape[1] - 1 - shuffled.indices, shuffled.indptr), shape=dense.shape
    )  # columns descending within their rows
    expected = np.zeros_like(dense)
    for row, values in enumerate(dense):
        best = [column for column in np.argsort(-values, kind="stable")[:k] if values[column] > 0]
        expected[row, best] = values[best]
    kept = top_entries(turned, k)
    np.testing.assert_array_equal(kept.toarray(), expected)
    assert kept.has_sorted_indices


def test_blocks_hold_neighbours_within_the_limit() -> None:
    assert list(blocks_of(np.array([3, 2, 9, 0, 1, 4, 1]), 5)) == [(0, 2), (2, 3), (3, 6), (6, 7)]
    assert list(blocks_of(np.array([], dtype=np.int64), 5)) == []


def test_blocks_are_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "WORK", 21)
    left, right = (sparse.random(10, 7, density=0.4, random_state=seed, format="csr") for seed in (1, 2))
    blocks = list(row_blocks(left, right.T.tocsr()))
    assert len(blocks) > 2
    whole = np.vstack([without_diagonal(block, rows).toarray() for rows, block in blocks])
    expected = (left @ right.T).toarray()
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(whole, expected)


def test_bm25_worked_by_hand() -> None:
    found = bm25(sparse.csr_matrix([[2.0, 1.0], [0.0, 1.0]]), k1=1.0, b=0.5).toarray()
    # lengths 3 and 1, mean 2: norms .5 + .25 * 3 = 1.25 and .75; item 0 has one user, item 1 two
    np.testing.assert_allclose(found[0, 0], 2 * 2 / (2 + 1.25) * np.log1p(2 / 2), rtol=1e-6)
    np.testing.assert_allclose(found[0, 1], 2 / (1 + 1.25) * np.log1p(2 / 3), rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 2 / (1 + 0.75) * np.log1p(2 / 3)], rtol=1e-6)
