"""Queries' vectors by a table instead of a network: rows of tokens, and of pairs of neighbours, added up.

The table is learned by components.train_text.distil, so that what it gives lies where the encoder's own vectors do.
One file holds it, `queries.npy`: by ascending key a row in eight bits with a scale of its own.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import ReleaseError
from serving.arrays import Floats, Longs
from serving.compact import CODES, SCALE, coded, rows_of_bytes

QUERIES_FILE = "queries.npy"
KEY = "key"
PAIR = 1 << 32  # a pair's key is (first + 1) * PAIR + second, a token's the token itself

Rows = npt.NDArray[np.void]


def keys_of(tokens: Sequence[int]) -> list[int]:
    """The keys of a text: its tokens, then its pairs of neighbours, each in order.

    >>> [key % PAIR for key in keys_of([7, 8, 9])]
    [7, 8, 9, 8, 9]
    """
    pairs = pairwise(tokens)
    return [*tokens, *((first + 1) * PAIR + second for first, second in pairs)]


def row_type(dims: int) -> np.dtype[np.void]:
    """The dtype of a row: its key, its scale, its numbers."""
    bytes_of = rows_of_bytes(dims)
    return np.dtype([(KEY, "<i8"), (SCALE, bytes_of[SCALE]), (CODES, bytes_of[CODES])])


def table_of(keys: Longs, vectors: Floats) -> Rows:
    """(n,) rows of the table, by ascending key, of distinct *keys* (n,) and *vectors* (n, d)."""
    order, kept = np.argsort(keys), coded(vectors)
    rows = np.empty(len(keys), dtype=row_type(vectors.shape[1]))
    rows[KEY] = keys[order]
    for name in (SCALE, CODES):
        rows[name] = kept[name][order]
    return rows


class QueryTable:
    """Tokens of a query to its vector."""

    def __init__(self, rows: Rows) -> None:
        """Keep (n,) *rows*, see `table_of`."""
        self._keys = np.ascontiguousarray(rows[KEY])
        self._scales, self._codes = np.ascontiguousarray(rows[SCALE]), rows[CODES]

    @classmethod
    def load(cls, path: Path, dims: int) -> "QueryTable":
        """Read an .npy file; its rows stay where they lie, and all processes of a machine share them.

        Raises:
            ReleaseError: it is no table of vectors of length *dims*.
        """
        try:
            rows: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise _refused(path, dims, str(error)) from error
        if rows.dtype != row_type(dims) or rows.ndim != 1 or not len(rows):
            raise _refused(path, dims, f"{rows.dtype} of shape {rows.shape}")
        table = cls(rows.view(np.ndarray))
        if not (np.diff(table._keys) > 0).all() or not np.isfinite(table._scales).all():
            raise _refused(path, dims, "keys out of order, or a scale that is no number")
        return table

    def vector(self, tokens: Sequence[int]) -> Floats:
        """(d,) of length one: the sum of the rows of *tokens* and of their pairs; zeros where none has a row."""
        keys = np.array(keys_of(tokens), dtype=np.int64)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        places = places[self._keys[places] == keys]
        total = self._scales[places] @ self._codes[places].astype(np.float32)
        vector: Floats = total / np.maximum(np.linalg.norm(total), np.float32(1e-12))
        return vector


def _refused(path: Path, dims: int, found: str) -> ReleaseError:
    expected = f"rows of a key, a scale and {dims} numbers by ascending key"
    return ReleaseError(f"{path}: expected {expected}; found {found}. Run `cuvee distil-encoder` again.")
