"""BM25-weighted item neighbourhood."""

from typing import ClassVar

from serving.members.neighbours import NeighbourMember


class ItemKnn(NeighbourMember):
    """Neighbours share users; see components.train_cf.item_knn for how they are weighted."""

    kind: ClassVar[str] = "item_knn"
