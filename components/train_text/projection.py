"""The learned part of the text member: a linear map under which what is met next lies near what was met before."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from components.common.config import Config
from components.train_text.pairs import Pairs
from serving.arrays import Floats

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class ProjectionConfig(Config):
    """Numbers of the contrastive training."""

    embedding_size: int = 128
    epochs: int = 12
    patience: int = 2
    batch_size: int = 512
    learning_rate: float = 1e-3
    temperature: float = 0.07


class Projection(torch.nn.Module):
    """Cosine of projected vectors."""

    def __init__(self, weight: Floats) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.from_numpy(weight.copy()))

    def forward(self, histories: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """(n, d) mean vectors of histories and (m, d) items -> (n, m) cosines."""
        users = functional.normalize(histories @ self.weight, dim=1)
        return users @ functional.normalize(items @ self.weight, dim=1).T


class Adam:
    """Adam for one matrix; torch's own imports a compiler first, which takes longer than the training."""

    def __init__(self, weight: torch.nn.Parameter, learning_rate: float) -> None:
        self.weight, self.learning_rate, self.steps = weight, learning_rate, 0
        self.mean, self.square = torch.zeros_like(weight), torch.zeros_like(weight)

    @torch.no_grad()
    def step(self, gradient: torch.Tensor) -> None:
        """Move the weight against *gradient*."""
        self.steps += 1
        self.mean.lerp_(gradient, 1 - FIRST)
        self.square.lerp_(gradient.square(), 1 - SECOND)
        mean, square = self.mean / (1 - FIRST**self.steps), self.square / (1 - SECOND**self.steps)
        self.weight.sub_(self.learning_rate * mean / (square.sqrt() + EPSILON))


def principal(vectors: Floats, size: int) -> Floats:
    """(d, p) directions that keep most of the vectors' cosines: where training starts.

    Uncentred, so that without any training the member is the frozen encoder; the sign of a direction is fixed by
    its largest part.
    """
    covariance = vectors.T.astype(np.float64) @ vectors.astype(np.float64)
    directions = np.linalg.eigh(covariance)[1][:, ::-1][:, : min(size, vectors.shape[1])]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=0)[None, :], axis=0)
    return np.ascontiguousarray(directions * np.sign(largest), dtype=np.float32)


def fit(
    vectors: Floats, pairs: Pairs, quality: Callable[[Floats], float], config: ProjectionConfig, seed: int
) -> Floats:
    """Train by in-batch softmax; keep the epoch that *quality* likes best, the untrained start among them.

    Args:
        vectors: (n_items, d) the encoder's.
        pairs: histories and what came next.
        quality: of a (d, p) projection on held-out events, higher is better.
        config: sizes and rates.
        seed: orders the batches.

    Returns:
        (d, p) float32.
    """
    best = principal(vectors, config.embedding_size)
    reached, waited = quality(best), 0
    model = Projection(best)
    optimiser = Adam(model.weight, config.learning_rate)
    histories = torch.from_numpy(np.asarray(pairs.histories @ vectors))
    generator = torch.Generator().manual_seed(seed)
    for _ in range(config.epochs):
        for rows in torch.split(torch.randperm(len(histories), generator=generator), config.batch_size):
            _step(model, optimiser, histories[rows], pairs.targets[rows.numpy()], vectors, config.temperature)
        weight = model.weight.detach().numpy().copy()
        found = quality(weight)
        best, reached, waited = (weight, found, 0) if found > reached else (best, reached, waited + 1)
        if waited >= config.patience:
            break
    return best


def _step(
    model: Projection,
    optimiser: "Adam",
    histories: torch.Tensor,
    targets: np.ndarray[tuple[int], np.dtype[np.int32]],
    vectors: Floats,
    temperature: float,
) -> None:
    """One batch: each history against the batch's distinct targets."""
    distinct, place = np.unique(targets, return_inverse=True)
    logits = model(histories, torch.from_numpy(vectors[distinct])) / temperature
    loss = functional.cross_entropy(logits, torch.from_numpy(place))
    optimiser.step(torch.autograd.grad(loss, model.weight)[0])
