"""Matrix factorisation of implicit feedback by alternating least squares, in PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from scipy import sparse

from components.common.config import Config
from components.train_cf.export import write_member
from serving.members.als import Als, length_groups
from serving.members.history import HistoryWeights
from serving.states import UserStates


class AlsConfig(Config):
    """Numbers of the factorisation; some are tuned per shop."""

    embedding_size: int = Field(default=64, ge=1, description="length of user and item vectors")
    epochs: int = Field(default=8, ge=1, description="sweeps over users and items")
    alpha: float = Field(default=20.0, ge=0, description="confidence of an interaction = 1 + alpha * weight")
    reg: float = Field(default=5.0, gt=0, description="L2 weight of every vector")
    half_life: float | None = Field(default=60.0, gt=0, description="asking: a history entry halves in so many units")
    learning_half_life: float | None = Field(default=60.0, gt=0, description="learning: the same; None: never")
    seed: int = Field(default=0, ge=0, description="of the initial item vectors")


class AlsTrainer:
    """Each side in turn solves its normal equations exactly, in batches of like length; deterministic."""

    def __init__(self, config: AlsConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": True})
        self.learning = self.history.model_copy(update={"half_life": config.learning_half_life})

    def train(self, states: UserStates, n_items: int) -> Als:
        """Learn from the histories of all users; items are catalogue rows below *n_items*."""
        by_user = states.matrix(self.learning.weights(states), n_items)
        by_item = by_user.T.tocsr()
        generator = torch.Generator().manual_seed(self.config.seed)
        scale = 1.0 / np.sqrt(self.config.embedding_size)
        items = torch.randn((n_items, self.config.embedding_size), generator=generator) * scale
        known = np.diff(by_item.indptr) > 0
        items[torch.from_numpy(~known)] = 0.0
        with one_thread():
            for _ in range(self.config.epochs):
                users = solve(by_user, items, self.config.alpha, self.config.reg)
                items = solve(by_item, users, self.config.alpha, self.config.reg)
        return Als(items.numpy(), known, self.history, self.config.alpha, self.config.reg)

    def write(self, member: Als, folder: Path) -> None:
        """Write the member's folder."""
        numbers = {
            "config": self.config.model_dump(mode="json"),
            "history": member.history.model_dump(mode="json"),
            "alpha": member.alpha,
            "reg": member.reg,
        }
        write_member(folder, member.kind, numbers, {"factors": member.factors, "known": member.known})


@contextmanager
def one_thread() -> Iterator[None]:
    """Small batched solves: more threads only wait for each other, and change the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def solve(weights: sparse.csr_matrix, fixed: torch.Tensor, alpha: float, reg: float) -> torch.Tensor:
    """One side of a sweep: (n, d) vectors of the rows of *weights* (n, m) given the (m, d) vectors of its columns.

    Row u is (F'F + alpha F'WF + reg I)^-1 F'(1 + alpha W) over its entries; rows without entries are 0.
    """
    width = fixed.shape[1]
    gram = fixed.T @ fixed + reg * torch.eye(width)
    whitened = torch.cholesky_solve(fixed.T, torch.linalg.cholesky(gram)).T
    solved = torch.zeros((weights.shape[0], width))
    columns = torch.from_numpy(weights.indices.astype(np.int64))
    data = torch.from_numpy(weights.data.astype(np.float32))
    for rows, entries, real in length_groups(weights.indptr.astype(np.int64), width):
        index = torch.from_numpy(entries)
        mask = torch.from_numpy(real) & (data[index] > 0)
        vectors, confidence = fixed[columns[index]], alpha * data[index] * mask
        if entries.shape[1] <= width // 2:
            found = _solve_short(vectors, whitened[columns[index]], confidence, mask)
        else:
            found = _solve_long(gram, vectors, confidence, mask)
        solved[torch.from_numpy(rows)] = found
    return solved


def _solve_long(
    gram: torch.Tensor, vectors: torch.Tensor, confidence: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """(g, d) solutions of the d x d systems of g histories, *vectors* (g, length, d)."""
    left = gram + (vectors * confidence.unsqueeze(2)).transpose(1, 2) @ vectors
    right = ((confidence + mask).unsqueeze(1) @ vectors).transpose(1, 2)
    solved: torch.Tensor = torch.cholesky_solve(right, torch.linalg.cholesky(left)).squeeze(2)
    return solved


def _solve_short(
    vectors: torch.Tensor, whitened: torch.Tensor, confidence: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """The same for histories shorter than d: with G the Gram, x = G^-1 V' (I + C V G^-1 V')^-1 (1 + c)."""
    kernel = confidence.unsqueeze(2) * (vectors @ whitened.transpose(1, 2)) + torch.eye(vectors.shape[1])
    dual = torch.linalg.solve(kernel, (confidence + mask).unsqueeze(2))
    solved: torch.Tensor = (whitened.transpose(1, 2) @ dual).squeeze(2)
    return solved
