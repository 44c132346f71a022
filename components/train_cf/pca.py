"""The user-by-item matrix in one PCA space: a truncated singular value decomposition and a filter on its spectrum."""

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from scipy import sparse

from components.common.config import Config
from components.train_cf.als import one_thread
from components.train_cf.export import write_member
from serving.arrays import Floats
from serving.members.history import HistoryWeights
from serving.members.pca import ARRAYS, Pca
from serving.states import UserStates

SWEEPS = 4  # of the subspace iteration
SPARE = 16  # directions iterated beside those kept: they make the last ones kept exact


class PcaConfig(Config):
    """Numbers of the PCA member; tuned per shop."""

    embedding_size: int = Field(default=128, ge=1, description="directions kept")
    reg: float = Field(default=10.0, gt=0, description="L2 weight, in mean squared norms of an item's interest")
    popularity_power: float = Field(default=0.25, ge=0, le=1, description="an item's interest is divided by norm^this")
    half_life: float | None = Field(default=60.0, gt=0, description="asking: interest halves in so many days or visits")
    learning_half_life: float | None = Field(default=60.0, gt=0, description="learning: the same; None: never")
    seed: int = Field(default=0, ge=0, description="of the first directions")


class PcaTrainer:
    """Ridge regression of every item on all others in the space of the strongest directions of X.

    With X = U S V' (items' interest divided by a power of their norms), V diag(s^2 / (s^2 + reg)) V' is the ridge
    solution, a low-pass filter of the item graph; dividing column j by 1 - its diagonal keeps an item from explaining
    itself, as a zero diagonal does: with all directions kept the scores of new items are those of EASE.
    """

    def __init__(self, config: PcaConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})
        self.learning = self.history.model_copy(update={"half_life": config.learning_half_life})

    def train(self, states: UserStates, n_items: int) -> Pca:
        """Learn from the histories of all users; items are catalogue rows below *n_items*."""
        interest = states.matrix(self.learning.weights(states), n_items)
        known = np.bincount(states.items, minlength=n_items) > 0
        scale = column_norms(interest) ** -self.config.popularity_power
        scaled = (interest @ sparse.diags(scale)).tocsr()
        values, components = decompose(scaled, self.config.embedding_size, self.config.seed)
        energy = float((scaled.data.astype(np.float64) ** 2).sum()) / max(int(known.sum()), 1)
        squares = values.astype(np.float64) ** 2
        gains = squares / (squares + self.config.reg * max(energy, 1e-9))
        own = np.minimum((components.astype(np.float64) ** 2) @ gains, 0.99)
        target = (1 / (scale * (1 - own))).astype(np.float32)
        return Pca(components, gains.astype(np.float32), scale, target, known, self.history)

    def write(self, member: Pca, folder: Path) -> None:
        """Write the member's folder."""
        numbers = {"config": self.config.model_dump(mode="json"), "history": member.history.model_dump(mode="json")}
        write_member(folder, member.kind, numbers, {name: getattr(member, name) for name in ARRAYS})


def decompose(matrix: sparse.csr_matrix, size: int, seed: int) -> tuple[Floats, Floats]:
    """(k,) highest singular values, descending, and (n_columns, k) right singular vectors, at most k = *size*.

    Subspace iteration from seeded random directions: the same bits on every run.
    """
    width = min(size + SPARE, *matrix.shape)
    drawn = np.random.default_rng(seed).standard_normal((matrix.shape[1], width)).astype(np.float32)
    turned = matrix.T.tocsr()
    with one_thread():
        basis = _orthonormal(drawn)
        for _ in range(SWEEPS):
            basis = _orthonormal(turned @ _orthonormal(matrix @ basis))
        image = torch.from_numpy(matrix @ basis).double()
        squares, turn = torch.linalg.eigh(image.T @ image)
    kept = np.argsort(-squares.numpy(), kind="stable")[:size]
    values = np.sqrt(np.maximum(squares.numpy()[kept], 0)).astype(np.float32)
    return values, np.ascontiguousarray(basis @ turn.numpy()[:, kept].astype(np.float32))


def column_norms(matrix: sparse.csr_matrix) -> Floats:
    """(n_columns,) Euclidean norm of each column; 1 for an empty one."""
    squares = np.bincount(matrix.indices, weights=matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[1])
    return np.sqrt(np.where(squares > 0, squares, 1.0)).astype(np.float32)


def _orthonormal(directions: Floats) -> Floats:
    """An orthonormal basis of the columns of (n, k) *directions*."""
    basis: Floats = torch.linalg.qr(torch.from_numpy(np.ascontiguousarray(directions)))[0].numpy()
    return basis
