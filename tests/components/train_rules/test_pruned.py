"""The strongest entries of each row, found in a table or among the entries that there are."""

import numpy as np

from components.train_rules.pruned import strongest, strongest_of


def test_the_strongest_of_a_row_and_of_equals_the_lower_columns() -> None:
    rows, columns = np.array([1, 0, 0, 0, 1]), np.array([0, 3, 1, 2, 2], dtype=np.int32)
    values = np.array([0, 0.5, 0.5, 0.5, -1], dtype=np.float32)
    found = strongest_of(rows, columns, values, 2)
    assert [part.tolist() for part in found] == [[0, 0], [1, 2], [0.5, 0.5]]


def test_both_ways_find_the_same() -> None:
    rng = np.random.default_rng(0)
    block = rng.integers(-2, 4, (7, 40)).astype(np.float32)
    rows, columns = np.nonzero(block)
    order = rng.permutation(len(rows))
    row, column = rows[order], columns[order].astype(np.int32)
    for k in (1, 5, 60):
        for one, other in zip(strongest_of(row, column, block[row, column], k), strongest(block, k), strict=True):
            np.testing.assert_array_equal(one, other)
