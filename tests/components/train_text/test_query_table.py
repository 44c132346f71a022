import numpy as np
import pytest
from scipy import sparse

from components.train_text.query_table import holdings, pairs_held, ridge
from serving.static_queries import PAIR, QueryTable, table_of


def pair(first: int, second: int) -> int:
    return (first + 1) * PAIR + second


def test_pairs_are_counted_once_a_text_and_the_most_frequent_kept() -> None:
    texts = [[1, 2, 1, 2], [1, 2, 3], [2, 3], [3, 1]]
    assert pairs_held(texts, 2, 9).tolist() == sorted([pair(1, 2), pair(2, 3)])
    assert pairs_held(texts, 1, 1).tolist() == [pair(1, 2)]  # of equals the lower key
    assert pairs_held(texts, 9, 9).tolist() == []


def test_a_text_holds_its_keys_over_the_root_of_its_tokens() -> None:
    keys = np.array([1, 2, pair(1, 2)], dtype=np.int64)
    found = holdings([[1, 2, 1, 9], [], [2]], keys).toarray()
    np.testing.assert_allclose(found, np.array([[1, 0.5, 0.5], [0, 0, 0], [0, 1, 0]]))


@pytest.mark.parametrize(
    ("target", "start", "reg", "expected"),
    [(2, 0, 1, 1.0), (2, 1, 3, 1.25), (2, 1, 1e6, 1.0), (2, 0, 1e-6, 2.0)],
)
def test_one_text_of_one_token_by_hand(target: float, start: float, reg: float, expected: float) -> None:
    """(x - target)^2 + reg (x - start)^2 is least at (target + reg * start) / (1 + reg)."""
    one, at = np.array([[target]], np.float32), np.array([[start]], np.float32)
    held = sparse.csr_matrix(np.ones((1, 1), np.float32))
    assert ridge(held, one, at, np.array([reg], np.float32), 5)[0, 0] == pytest.approx(expected, abs=1e-5)


def test_the_rows_solve_the_normal_equations() -> None:
    draw = np.random.default_rng(0)
    held = sparse.random(60, 25, density=0.2, random_state=1, format="csr", dtype=np.float32)
    targets, start = (
        draw.standard_normal((60, 70)).astype(np.float32),
        draw.standard_normal((25, 70)).astype(np.float32),
    )
    reg = draw.uniform(0.2, 2, 25).astype(np.float32)
    dense = held.toarray().astype(np.float64)
    exact = np.linalg.solve(dense.T @ dense + np.diag(reg), dense.T @ targets + reg[:, None] * start)
    np.testing.assert_allclose(ridge(held, targets, start, reg, 60), exact, atol=1e-4)


def test_a_row_that_no_text_holds_stays_as_it_began() -> None:
    held = sparse.csr_matrix(np.array([[1, 0]], np.float32))
    start = np.array([[5.0], [7.0]], np.float32)
    assert ridge(held, np.zeros((1, 1), np.float32), start, np.ones(2, np.float32), 9)[1, 0] == 7


def test_serving_reads_what_was_learned() -> None:
    draw = np.random.default_rng(0)
    texts = [draw.integers(0, 30, size=draw.integers(1, 9)).tolist() for _ in range(40)]
    keys = np.concatenate([np.arange(30, dtype=np.int64), pairs_held(texts, 2, 20)])
    rows = draw.standard_normal((len(keys), 16)).astype(np.float32)
    learned, table = holdings(texts, keys) @ rows, QueryTable(table_of(keys, rows))
    for text, expected in zip(texts, learned, strict=True):
        assert table.vector(text) @ expected / np.linalg.norm(expected) > 0.9995
