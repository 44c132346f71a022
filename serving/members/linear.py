"""Linear model over items: each item is predicted by those that tell most about it."""

from typing import ClassVar

from serving.members.neighbours import NeighbourMember


class Linear(NeighbourMember):
    """Coefficients may be negative: what speaks against an item; see components.train_cf.linear."""

    kind: ClassVar[str] = "linear"
