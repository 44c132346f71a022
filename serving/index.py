"""An index of a member's item vectors: which lie near a question's vector, told by 4 bits a number.

All codes are looked at: an eighth of what the vectors are to read, and small sums only (faiss's fast scan of a product
quantiser). It only recalls: whoever asks looks for more than are wanted and scores those again by the vectors
themselves. In a release it is arrays and one JSON. faiss is imported where an index is: small shops do without it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from serving.arrays import PAD, Floats, Ints, stored

INDEX_FOLDER, ABOUT_FILE = "index", "index.json"
ARRAYS, ABOUT = ("levels", "codes", "items"), ("beyond", "measured")
LEVELS = 16  # that a number is told by: 4 bits
TOGETHER = 32  # vectors whose codes lie together, the last ones filled up


@dataclass(frozen=True)
class VectorIndex:
    """levels: (d, LEVELS) of each dimension, d even. codes: uint8, as faiss packs them. items: (n,) catalogue rows.

    beyond: how many more to look up than are wanted. measured: with so many, the share found of the items that belong
    to the 100 best.
    """

    levels: Floats
    codes: npt.NDArray[np.uint8]
    items: Ints
    beyond: int
    measured: float

    @classmethod
    def load_if_any(cls, folder: Path, n_items: int) -> "VectorIndex | None":
        """The index in a member's *folder*, if it has one.

        Raises:
            ReleaseError: its arrays do not fit the catalogue of *n_items* or each other.
        """
        if not (folder / INDEX_FOLDER).is_dir():
            return None
        levels, codes, items = (stored(folder / INDEX_FOLDER / f"{name}.npy") for name in ARRAYS)
        about = read_json(folder / INDEX_FOLDER / ABOUT_FILE)
        found = cls(levels, codes, items, *(about[name] for name in ABOUT))
        found.check(folder, n_items)
        return found

    def save(self, folder: Path) -> None:
        """Write it into a member's *folder*."""
        (folder / INDEX_FOLDER).mkdir()
        for name in ARRAYS:
            np.save(folder / INDEX_FOLDER / f"{name}.npy", getattr(self, name), allow_pickle=False)
        write_json(folder / INDEX_FOLDER / ABOUT_FILE, {name: getattr(self, name) for name in ABOUT})

    def check(self, folder: Path, n_items: int) -> None:
        """Do the arrays fit each other and a catalogue of *n_items*.

        Raises:
            ReleaseError: they do not.
        """
        d, n = len(self.levels), len(self.items)
        found = (self.levels.shape, str(self.levels.dtype), self.codes.shape, str(self.codes.dtype))
        expected = ((d, LEVELS), "float32", (filled(n) * d // 2,), "uint8")
        inside = self.items.min(initial=0) >= 0 and self.items.max(initial=-1) < n_items
        if found != expected or d % 2 or not inside:
            raise ReleaseError(
                f"{folder}: an index {found} over {n} items found, {expected} over items of {n_items} expected; "
                "package it again."
            )

    def fill(self) -> None:
        """Make ready what is searched; else the first search does."""
        _ = self._faiss

    def search(self, asked: Floats, k: int) -> Ints:
        """(n, k) catalogue rows of about the highest products with (n, d) *asked*; -1 after the last found."""
        _, found = self._faiss.search(np.ascontiguousarray(asked, dtype=np.float32), k)
        return np.where(found < 0, PAD, self.items[found]).astype(np.int32)

    @cached_property
    def _faiss(self) -> Any:
        import faiss

        faiss.omp_set_num_threads(1)
        d = len(self.levels)
        index: Any = faiss.IndexPQFastScan(d, d, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(np.ascontiguousarray(self.levels).ravel(), index.pq.centroids)
        faiss.copy_array_to_AlignedTable(np.ascontiguousarray(self.codes), index.codes)
        index.is_trained, index.ntotal, index.ntotal2 = True, len(self.items), filled(len(self.items))
        return index


def filled(n: int) -> int:
    """*n* filled up to whole TOGETHER."""
    return -(-n // TOGETHER) * TOGETHER
