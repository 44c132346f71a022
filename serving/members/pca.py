"""The user-by-item matrix in one PCA space, smoothed by a ridge filter."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from components.common.files import read_json
from serving.arrays import Bools, Floats
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE
from serving.members.folded import FoldedMember, read_arrays
from serving.members.history import HistoryWeights
from serving.queries import SEARCH

ARRAYS = ("components", "gains", "source", "target", "known")


class Pca(FoldedMember):
    """score = x diag(source) V diag(gains) V' diag(target), x the user's weighted history, V the components."""

    kind: ClassVar[str] = "pca"
    weighs: ClassVar[frozenset[str]] = frozenset({SEARCH})

    def __init__(
        self, components: Floats, gains: Floats, source: Floats, target: Floats, known: Bools, history: HistoryWeights
    ) -> None:
        """Take (n_items, d) components, (d,) gains, (n_items,) source and target, and what training met."""
        self.components, self.gains, self.source, self.target = components, gains, source, target
        bias = np.zeros(len(known), dtype=np.float32)
        super().__init__(components * gains * source[:, None], components * target[:, None], bias, known, history)

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Pca":
        """Read the arrays written by the trainer.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        components, gains, source, target, known = read_arrays(folder, ARRAYS, len(catalogue))
        history = HistoryWeights.of(read_json(folder / MEMBER_FILE))
        return cls(components, gains, source, target, known, history)

    @property
    def item_vectors(self) -> Floats:
        """The components, each as long as it is strong."""
        return self.components * self.gains
