"""Item neighbourhood over BM25-weighted, half-life-decayed interest."""

from pathlib import Path

import numpy as np
from pydantic import Field
from scipy import sparse

from components.common.config import Config
from components.train_cf.export import write_neighbours
from components.train_cf.pruning import row_blocks, stacked, top_entries, without_diagonal
from serving.arrays import Floats
from serving.members.history import HistoryWeights
from serving.members.item_knn import ItemKnn
from serving.states import UserStates


class ItemKnnConfig(Config):
    """Numbers of the BM25 neighbourhood; tuned per shop."""

    k1: float = Field(default=10.0, gt=0, description="BM25: how late repeated interest saturates")
    b: float = Field(default=0.4, ge=0, le=1, description="BM25: how much the interest of broad users is discounted")
    popularity_power: float = Field(
        default=0.4, ge=0, le=1, description="similarity is divided by the neighbour's norm^this"
    )
    neighbours: int = Field(default=100, ge=1, description="neighbours kept per item")
    half_life: float | None = Field(default=60.0, gt=0, description="asking: interest halves in so many days or visits")
    learning_half_life: float | None = Field(
        default=60.0, gt=0, description="learning: the same; None: age does not matter"
    )


class ItemKnnTrainer:
    """similarity[i, j] = sum over users of bm25(u, i) * bm25(u, j), pruned to the best neighbours."""

    def __init__(self, config: ItemKnnConfig, history: HistoryWeights) -> None:
        """Take the configuration and the weighting of histories, used alike to train and to score."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})
        self.learning = self.history.model_copy(update={"half_life": config.learning_half_life})

    def train(self, states: UserStates, n_items: int) -> ItemKnn:
        """Learn from the histories of all users; items are catalogue rows below *n_items*."""
        matrix = states.matrix(self.learning.weights(states), n_items)
        weighted = bm25(matrix, self.config.k1, self.config.b)
        scale = _norms(weighted) ** -self.config.popularity_power
        right = weighted @ sparse.diags(scale)
        blocks = (
            top_entries(without_diagonal(block, rows), self.config.neighbours)
            for rows, block in row_blocks(weighted.T.tocsr(), right.tocsr())
        )
        known = np.bincount(states.items, minlength=n_items) > 0
        return ItemKnn(stacked(blocks, n_items), known, self.history)

    def write(self, member: ItemKnn, folder: Path) -> None:
        """Write the member's folder."""
        write_neighbours(folder, member, self.config)


def bm25(matrix: sparse.csr_matrix, k1: float, b: float) -> sparse.csr_matrix:
    """BM25 weights of a (users, items) matrix: users are documents, items are terms.

    weight = x (k1 + 1) / (x + k1 (1 - b + b |u| / mean |u|)) * log(1 + users / (1 + users of the item)).
    """
    length = np.asarray(matrix.sum(axis=1)).ravel()
    mean = length[length > 0].mean() if (length > 0).any() else 1.0
    norm = k1 * (1 - b + b * length / mean)
    users = np.bincount(matrix.indices, minlength=matrix.shape[1])
    idf = np.log1p(matrix.shape[0] / (1.0 + users))
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    data = matrix.data * (k1 + 1) / (matrix.data + norm[row]) * idf[matrix.indices]
    return sparse.csr_matrix((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _norms(matrix: sparse.csr_matrix) -> Floats:
    """(n_items,) Euclidean norm of each column; 1 for an empty one."""
    squares = np.bincount(matrix.indices, weights=matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[1])
    return np.sqrt(np.where(squares > 0, squares, 1.0)).astype(np.float32)
