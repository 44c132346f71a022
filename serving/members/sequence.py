"""The deep member at serving time: a user tower in ONNX Runtime over item vectors in numpy."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime as ort

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import PAD, Floats, Ints, stored
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family
from serving.members.dense import Dense, Space
from serving.onnx import session
from serving.queries import BUNDLE, RECOMMEND, SIMILAR, Queries
from serving.states import UserStates

KIND = "sequence"
TOWER_FILE, VECTORS_FILE, BIAS_FILE = "user.onnx", "items.npy", "bias.npy"


def visit_ages(visits: Ints) -> Ints:
    """Visits since each entry, counted over the visits present: the newest is 0.

    Args:
        visits: (n, length) visit numbers or times, ascending, right-aligned; -1 = padding.

    Returns:
        (n, length) int32; -1 at padding.
    """
    ages = np.zeros(visits.shape, dtype=np.int32)
    changed = (np.diff(visits, axis=1) != 0).astype(np.int32)
    ages[:, :-1] = np.cumsum(changed[:, ::-1], axis=1)[:, ::-1]
    ages[visits == PAD] = PAD
    return ages


def windows(states: UserStates, length: int) -> tuple[Ints, Ints]:
    """The last *length* entries of every user.

    Returns:
        items and ages, both (n, length) int32, oldest to newest, right-aligned; -1 = padding.
    """
    slot = np.arange(len(states.items)) - states.indptr[1:][states.row_of] + length
    kept = slot >= 0
    items, ages = (np.full((len(states), length), PAD, dtype=np.int32) for _ in range(2))
    items[states.row_of[kept], slot[kept]] = states.items[kept]
    ages[states.row_of[kept], slot[kept]] = states.age[kept]
    return items, ages


@dataclass
class Sequence(Dense):
    """score = user vector · item vector + item bias; the user vector comes from the last `length` items.

    vectors: (n_items + 1, d), the last row, of padding, is zero. bias: (n_items,), NaN at items nothing is known of.
    """

    kind: ClassVar[str] = KIND
    family: ClassVar[Family] = "deep"
    scenarios: ClassVar[frozenset[str]] = frozenset({RECOMMEND, SIMILAR, BUNDLE})

    tower: ort.InferenceSession
    vectors: Floats
    bias: Floats
    length: int

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Sequence":
        """Read the tower and the item arrays.

        Raises:
            ReleaseError: the arrays do not fit the catalogue or each other.
        """
        about = read_json(folder / MEMBER_FILE)
        vectors = stored(folder / VECTORS_FILE)
        bias = stored(folder / BIAS_FILE)
        expected = (len(catalogue), about["embedding_size"])
        if vectors.shape != expected or bias.shape != expected[:1]:
            raise ReleaseError(
                f"{folder}: item vectors {vectors.shape} and biases {bias.shape}, expected {expected} and "
                f"{expected[:1]}. Train this member on the release's own catalogue."
            )
        padded = np.concatenate([vectors, np.zeros_like(vectors[:1])])
        return cls(session(folder / TOWER_FILE), padded, bias, about["length"])

    @cached_property
    def space(self) -> Space:
        """The vectors of the items and their bias."""
        known = np.isfinite(self.bias)
        return Space(self.vectors[:-1], np.asarray(known), np.nan_to_num(self.bias))

    def asked(self, queries: Queries) -> tuple[Floats, bool]:
        """The users' vectors."""
        return self.user_vectors(queries.states), True

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) scores; users without a known history and items nothing is known of are NaN."""
        users = self.user_vectors(queries.states)
        return np.asarray(users @ self.vectors[:-1].T + self.bias, dtype=np.float32)

    @property
    def item_vectors(self) -> Floats:
        """The vectors of the items."""
        return self.vectors[:-1]

    def user_vectors(self, states: UserStates) -> Floats:
        """(n, d) what the tower makes of each user's history; NaN rows where none of it is known.

        The same in every bit, whoever else is asked about: all histories are as wide as the longest that is read, and
        one row is read as two, since products with a single row are added up in another order.
        """
        items, ages = windows(states, self.length)
        rows = [0, 0] if len(states) == 1 else slice(None)
        (users,) = self.tower.run(None, {"history": self.vectors[items[rows]], "ages": ages[rows]})
        users = users[: len(states)]
        known = (items != PAD) & np.isfinite(self.bias[items])
        users[~known.any(axis=1)] = np.nan
        return np.asarray(users, dtype=np.float32)
