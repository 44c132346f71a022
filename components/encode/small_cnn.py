"""A small network that learns the catalogue's own categories: what looks at photos where no weights are installed."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from components.common.config import Config
from serving.arrays import Longs
from serving.pictures import Pixels

NAME, SIDE = "own-categories", 64
WIDTHS = (24, 48, 96, 128)


class SmallCnnConfig(Config):
    """How it is trained."""

    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 2e-3
    reg: float = 1e-2  # decay of the weights
    most_photos: int = 4000
    least_photos: int = 4  # a category with fewer is not learned


class SmallCnn(nn.Module):
    """Four convolutions that halve the picture; means and maxima of their last maps."""

    def __init__(self) -> None:
        super().__init__()
        sizes = zip((3, *WIDTHS), WIDTHS, strict=False)
        layers = [(nn.Conv2d(a, b, 3, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()) for a, b in sizes]
        self.features = nn.Sequential(*(part for layer in layers for part in layer))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, side, side, 3) of 0 to 255 -> (n, 256)."""
        maps = self.features((pixels.float() / 127.5 - 1).permute(0, 3, 1, 2))
        parts = (maps.mean((2, 3)), maps.amax((2, 3)))
        return torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1)


def learnable(labels: Longs, least: int) -> Longs:
    """(n,) *labels* numbered anew from 0, -1 for those of fewer than *least* rows and for -1."""
    counts = np.bincount(labels[labels >= 0], minlength=1)
    kept = np.flatnonzero(counts >= least)
    number = np.full(len(counts) + 1, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return number[labels]


def train_small_cnn(pictures: Pixels, labels: Longs, seed: int, config: SmallCnnConfig | None = None) -> SmallCnn:
    """Train on (n, SIDE, SIDE, 3) *pictures* to name their (n,) category, 0 to c - 1."""
    config = config or SmallCnnConfig()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SmallCnn()
        head = nn.Linear(2 * WIDTHS[-1], int(labels.max()) + 1)
        optimiser = torch.optim.AdamW(
            [*net.parameters(), *head.parameters()], config.learning_rate, weight_decay=config.reg
        )
        photos, kinds = torch.from_numpy(pictures), torch.from_numpy(labels)
        for rows in _batches(len(labels), config):
            seen = photos[rows].flip(2) if torch.rand(()) < 0.5 else photos[rows]
            loss = functional.cross_entropy(10 * head(net(seen)), kinds[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return net.eval()


def _batches(n: int, config: SmallCnnConfig) -> Iterator[torch.Tensor]:
    """Every row once an epoch; a rest of one row is left out, which no normalisation can use."""
    for _ in range(config.epochs):
        for rows in torch.split(torch.randperm(n), config.batch_size):
            if len(rows) > 1:
                yield rows
