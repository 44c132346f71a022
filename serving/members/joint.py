"""What an item says and what it looks like, in one representation: likeness by whatever two items both have."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common.errors import ReleaseError
from components.common.files import read_json
from serving.arrays import Bools, Floats
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Family, Member
from serving.members.seen import read_arrays
from serving.members.text import unit
from serving.queries import SIMILAR, Queries
from serving.sparse import mixed
from serving.states import UserStates

BLOCKS = ("said", "looks")


class Joint(Member):
    """The mean of the cosines of text and photo, over those of the two that anchors and item both have.

    An item without a photo is compared by its text, at full worth: what is missing is left out of the mean, never a
    vector of zeros. NaN where nothing is shared.
    """

    kind: ClassVar[str] = "joint"
    family: ClassVar[Family] = "text"
    scenarios: ClassVar[frozenset[str]] = frozenset({SIMILAR})

    def __init__(self, blocks: tuple[Floats, ...], shares: tuple[float, ...]) -> None:
        """Keep the arrays.

        Args:
            blocks: one (n_items, p) each, rows of length one; NaN where an item has nothing of the kind.
            shares: what the cosine of each block is worth.
        """
        self.known: tuple[Bools, ...] = tuple(np.asarray(~np.isnan(block).any(axis=1)) for block in blocks)
        self.blocks, self.shares = tuple(np.nan_to_num(block) for block in blocks), shares

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Joint":
        """Read said.npy and looks.npy.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        blocks = tuple(read_arrays(folder, BLOCKS))
        if any(len(block) != len(catalogue) for block in blocks):
            raise ReleaseError(f"{folder}: {len(blocks[0])} items, the catalogue has {len(catalogue)}. Train again.")
        shares = read_json(folder / MEMBER_FILE)["shares"]
        return cls(blocks, tuple(float(shares[name]) for name in BLOCKS))

    def score_all(self, queries: Queries) -> Floats:
        """(n, n_items) in [-1, 1]; NaN = not scored."""
        shape = (len(queries), len(self.blocks[0]))
        total, worth = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        for block, known, share in zip(self.blocks, self.known, self.shares, strict=True):
            anchors, asked = self._anchors(queries.states, block, known)
            total += np.float32(share) * (anchors @ block.T)
            worth += np.float32(share) * (asked[:, None] & known)
        with np.errstate(invalid="ignore"):
            return np.where(worth > 0, total / worth, np.float32(np.nan)).astype(np.float32)

    def _anchors(self, states: UserStates, block: Floats, known: Bools) -> tuple[Floats, Bools]:
        """(n, p) mean of each question's items that have the block, of length one or 0, and (n,) are there any."""
        weights = known[states.items].astype(np.float32)
        asked = np.bincount(states.row_of, weights, minlength=len(states)) > 0
        return unit(mixed(states.weighted(weights), block)), np.asarray(asked)
