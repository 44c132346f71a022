"""Sums of rows against SciPy's own products, bit by bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from serving.sparse import MANY, SparseRows, Weighted, along, mixed, of_each

ROWS, COLUMNS = 7, 5
SEEDS = st.integers(0, 10_000)


def drawn(seed: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Questions (3, ROWS) and a matrix (ROWS, COLUMNS), some of their rows empty."""
    rng = np.random.default_rng(seed)
    asked, matrix = (
        sparse.random(*shape, density=0.5, random_state=rng, dtype=np.float32, format="csr")
        for shape in ((3, ROWS), (ROWS, COLUMNS))
    )
    matrix.data -= np.float32(0.5)
    return asked, matrix


def weighted(asked: sparse.csr_matrix) -> Weighted:
    return Weighted(asked.indptr.astype(np.int64), asked.indices, asked.data)


def test_by_hand() -> None:
    matrix = sparse.csr_matrix(np.array([[1, 0], [0, 2], [3, 3]], dtype=np.float32))
    asked = Weighted(np.array([0, 2, 2]), np.array([2, 0], np.int32), np.array([10, 1], np.float32))
    assert SparseRows(matrix).summed(asked).tolist() == [[31, 30], [0, 0]]
    assert of_each(SparseRows(matrix), np.array([[1, 1]], np.float32)).tolist() == [[1, 2, 6]]
    assert along(asked, np.array([5, 6, 7], np.float32)).tolist() == [75, 0]


@given(SEEDS)
def test_sums_are_those_of_a_product(seed: int) -> None:
    asked, matrix = drawn(seed)
    np.testing.assert_array_equal(SparseRows(matrix).summed(weighted(asked)), (asked @ matrix).toarray())


@given(SEEDS)
def test_a_sparse_product_is_the_same(seed: int) -> None:
    asked, matrix = drawn(seed)
    found, wanted = SparseRows(matrix).product(weighted(asked)), asked @ matrix
    same = sparse.csr_matrix((found.weights, found.columns, found.indptr), shape=wanted.shape)
    np.testing.assert_array_equal(same.toarray(), wanted.toarray())
    np.testing.assert_array_equal(found.indptr, wanted.indptr)


@given(SEEDS)
def test_vectors_are_mixed_as_by_a_product(seed: int) -> None:
    asked, matrix = drawn(seed)
    vectors = matrix.toarray()
    np.testing.assert_allclose(mixed(weighted(asked), vectors), asked @ vectors, atol=1e-6)  # in wider registers
    np.testing.assert_array_equal(of_each(SparseRows(matrix), vectors[:3]), (matrix @ vectors[:3].T).T)
    np.testing.assert_array_equal(along(weighted(asked), vectors[:, 0].copy()), asked @ vectors[:, 0])


@given(SEEDS)
def test_many_questions_get_what_each_gets_alone(seed: int) -> None:
    matrix = SparseRows(drawn(seed)[1])
    wanted = np.random.default_rng(seed).normal(size=(MANY + 3, COLUMNS)).astype(np.float32)
    alone = np.concatenate([of_each(matrix, wanted[row : row + 1]) for row in range(len(wanted))])
    np.testing.assert_array_equal(of_each(matrix, wanted), alone)


def test_no_question_gives_no_row() -> None:
    nothing = Weighted(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    matrix = SparseRows(drawn(0)[1])
    assert matrix.summed(nothing).shape == (0, COLUMNS)
    assert len(matrix.product(nothing)) == 0
