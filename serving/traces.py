"""What a user did last, beside the candidates: how near each candidate is to each item of the recent history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving import kernels
from serving.arrays import PAD, Bools, Floats, Ints, at
from serving.states import UserStates

MOST = 50  # newest entries of a history that are read
MARKS = 2  # numbers that each entry carries


@dataclass(frozen=True)
class Traces:
    """Histories of n users and their candidates, as places among the vectors of items.

    vectors: (v, d), of any length. items: (n, h) newest entries, -1 is padding. marks: (n, h, 2) log(1 + age), as the
    context counts it, and log(1 + weighted visits). candidates: (n, c), -1 is padding.
    """

    vectors: Floats
    items: Ints
    marks: Floats
    candidates: Ints

    @classmethod
    def of(cls, vectors: Floats, states: UserStates, ages: Floats, candidates: Ints) -> "Traces":
        """The newest `MOST` entries of every state; *ages* of all its entries."""
        starts = np.maximum(states.indptr[1:] - MOST, states.indptr[:-1])
        width = int((states.indptr[1:] - starts).max(initial=0))
        if kernels.there:
            entries = states.indptr, states.items, ages, states.counts
            return cls(vectors, *kernels.newest(*entries, width), candidates)
        place = starts[:, None] + np.arange(width)
        known = place < states.indptr[1:, None]
        place = np.where(known, place, 0)
        if not len(states.items):
            empty = np.zeros((len(states), 0))
            return cls(vectors, empty.astype(np.int32), np.zeros((*empty.shape, MARKS), np.float32), candidates)
        marks = np.stack([np.log1p(ages[place]), np.log1p(states.counts[place])], axis=2)
        items = np.where(known, states.items[place], PAD).astype(np.int32)
        return cls(vectors, items, np.where(known[:, :, None], marks, 0).astype(np.float32), candidates)

    @classmethod
    def join(cls, parts: Sequence["Traces"]) -> "Traces":
        """All users of several traces; candidates are as many in each. Vectors that are the same are kept once."""
        places = {id(part.vectors): part.vectors for part in parts}
        ends = np.cumsum([0, *(len(vectors) for vectors in places.values())])
        start = {key: int(end) for key, end in zip(places, ends[:-1], strict=True)}
        width = max(part.items.shape[1] for part in parts)
        return cls(
            np.concatenate(list(places.values())),
            np.concatenate([_wide(_moved(p.items, start[id(p.vectors)]), width, PAD) for p in parts]),
            np.concatenate([_wide(p.marks, width, 0) for p in parts]),
            np.concatenate([_moved(p.candidates, start[id(p.vectors)]) for p in parts]),
        )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def known(self) -> Bools:
        """(n, h) is this an entry, not padding."""
        return np.asarray(self.items != PAD)

    def take(self, rows: npt.NDArray[np.intp] | Bools) -> "Traces":
        """The users *rows*."""
        return Traces(self.vectors, self.items[rows], self.marks[rows], self.candidates[rows])

    def of_places(self, order: npt.NDArray[np.intp]) -> "Traces":
        """The same users with the candidates at the places *order* (n, m) alone."""
        return Traces(self.vectors, self.items, self.marks, at(self.candidates, order))

    def near(self) -> Floats:
        """(n, c, h) cosine of every candidate to every entry; 0 for padding and for items without a vector."""
        near: Floats = np.matmul(self._unit(self.candidates), self._unit(self.items).transpose(0, 2, 1))
        return near

    def _unit(self, places: Ints) -> Floats:
        found = self.vectors[np.maximum(places, 0)] * (places != PAD)[:, :, None].astype(np.float32)
        lengths = np.sqrt(np.einsum("nmd,nmd->nm", found, found))
        return np.asarray(found / np.maximum(lengths, np.float32(1e-9))[:, :, None], dtype=np.float32)


def _moved(places: Ints, by: int) -> Ints:
    return np.where(places == PAD, PAD, places + by).astype(np.int32)


def _wide(array: npt.NDArray[np.generic], width: int, fill: float) -> npt.NDArray[np.generic]:
    more = [(0, 0), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, more, constant_values=fill)
