"""Sequence-aware co-occurrence: what came with, before and after each item."""

from typing import ClassVar

from serving.members.neighbours import NeighbourMember


class Cooccurrence(NeighbourMember):
    """Neighbours follow each other; see components.train_cf.cooccurrence for how they are weighted."""

    kind: ClassVar[str] = "cooccurrence"
