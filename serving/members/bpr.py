"""Item vectors learned by ranking; the user is the mean of what was met lately."""

from pathlib import Path
from typing import ClassVar

from components.common.files import read_json
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE
from serving.members.folded import FoldedMember, read_arrays
from serving.members.history import HistoryWeights

ARRAYS = ("inputs", "outputs", "bias", "known")


class Bpr(FoldedMember):
    """Trained to score what came next above what did not; see components.train_cf.bpr."""

    kind: ClassVar[str] = "bpr"

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> "Bpr":
        """Read the arrays written by the trainer.

        Raises:
            ReleaseError: they do not fit the catalogue.
        """
        inputs, outputs, bias, known = read_arrays(folder, ARRAYS, len(catalogue))
        return cls(inputs, outputs, bias, known, HistoryWeights.of(read_json(folder / MEMBER_FILE)))
