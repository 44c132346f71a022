"""An index of a member's item vectors: which are near a question's vector, without looking at most of them.

Lists of vectors around centres, 8 bits a number (faiss, IVF with a scalar quantiser). It only recalls: whoever asks
looks for more than are wanted and scores those again by the vectors themselves. In a release it is arrays and one JSON;
faiss's lists are filled from them at load. faiss is imported where an index is, so that small shops do without it.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from serving.arrays import Floats, Ints

INDEX_FOLDER, ABOUT_FILE = "index", "index.json"
ARRAYS = ("centres", "ranges", "sizes", "items", "codes")
BLOCK = 8  # a vector's length is a multiple of it: faiss reads that many numbers at once


@dataclass(frozen=True)
class VectorIndex:
    """centres: (lists, d). ranges: (2 * d,) lowest value and width of each dimension. sizes: (lists,) items of each.

    items: (n,) their catalogue rows, list after list; codes: (n, d) uint8. probes: lists that a question looks into.
    measured: of the items that belong to the 100 best, the share found when *probes* was chosen.
    """

    centres: Floats
    ranges: Floats
    sizes: Ints
    items: Ints
    codes: npt.NDArray[np.uint8]
    probes: int
    measured: float

    @classmethod
    def load_if_any(cls, folder: Path, n_items: int) -> "VectorIndex | None":
        """The index in a member's *folder*, if it has one.

        Raises:
            ReleaseError: its arrays do not fit the catalogue of *n_items* or each other.
        """
        if not (folder / INDEX_FOLDER).is_dir():
            return None
        arrays: list[Any] = [np.load(folder / INDEX_FOLDER / f"{name}.npy", allow_pickle=False) for name in ARRAYS]
        about = read_json(folder / INDEX_FOLDER / ABOUT_FILE)
        found = cls(*arrays, int(about["probes"]), float(about["measured"]))
        found.check(folder, n_items)
        return found

    def save(self, folder: Path) -> None:
        """Write it into a member's *folder*."""
        (folder / INDEX_FOLDER).mkdir()
        for name in ARRAYS:
            np.save(folder / INDEX_FOLDER / f"{name}.npy", getattr(self, name), allow_pickle=False)
        write_json(folder / INDEX_FOLDER / ABOUT_FILE, {"probes": self.probes, "measured": self.measured})

    def check(self, folder: Path, n_items: int) -> None:
        """Do the arrays fit each other and a catalogue of *n_items*.

        Raises:
            ReleaseError: they do not.
        """
        lists, d = self.centres.shape
        shapes = (self.ranges.shape, self.sizes.shape, self.codes.shape, int(self.sizes.sum()))
        expected = ((2 * d,), (lists,), (len(self.items), d), len(self.items))
        kinds = self.centres.dtype == self.ranges.dtype == np.float32 and self.codes.dtype == np.uint8
        fits = self.items.min(initial=0) >= 0 and self.items.max(initial=-1) < n_items
        if shapes != expected or not kinds or not fits or self.sizes.min(initial=0) < 0:
            raise ReleaseError(
                f"{folder}: an index of shapes {shapes} found, {expected} expected, over {n_items} items; "
                "package it again."
            )

    def fill(self) -> None:
        """Make ready what is searched; else the first search does."""
        _ = self._faiss

    def search(self, asked: Floats, k: int) -> Ints:
        """(n, k) catalogue rows of about the highest products with (n, d) *asked*; -1 after the last found."""
        _, found = self._faiss.search(np.ascontiguousarray(asked, dtype=np.float32), k)
        return np.asarray(found, dtype=np.int32)

    @cached_property
    def _faiss(self) -> Any:
        import faiss

        faiss.omp_set_num_threads(1)
        lists, d = self.centres.shape
        quantiser = faiss.IndexFlatIP(d)
        quantiser.add(np.ascontiguousarray(self.centres))
        index: Any = faiss.IndexIVFScalarQuantizer(
            quantiser, d, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
        )
        faiss.copy_array_to_vector(np.ascontiguousarray(self.ranges), index.sq.trained)
        ends = np.concatenate([[0], np.cumsum(self.sizes)]).tolist()
        items = self.items.astype(np.int64)
        for place, (start, end) in enumerate(pairwise(ends)):
            codes = np.ascontiguousarray(self.codes[start:end])
            index.invlists.add_entries(place, end - start, faiss.swig_ptr(items[start:end]), faiss.swig_ptr(codes))
        index.is_trained, index.ntotal, index.nprobe = True, len(items), self.probes
        return index


def blocks_of(width: int) -> int:
    """The least multiple of BLOCK that is at least *width*."""
    return -(-width // BLOCK) * BLOCK
