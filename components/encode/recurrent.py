"""Networks that read a sequence: frames of a clip by a GRU, a log-mel picture by convolutions and a GRU.

They learn the catalogue's own categories; what they made of a sequence before naming its category is its vector.
"""

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional

from components.common.config import Config
from serving.arrays import Floats, Longs


class RecurrentConfig(Config):
    """How a reader is trained."""

    embedding_size: int = 64
    epochs: int = 15
    batch_size: int = 32
    learning_rate: float = 3e-3
    reg: float = 1e-2  # decay of the weights
    dropout: float = 0.2
    most_items: int = 4000  # that are learned from
    least_items: int = 4  # a category with fewer is not learned


class FrameReader(nn.Module):
    """A GRU over the vectors of a clip's frames."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, size, batch_first=True)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """(n, steps, width), NaN after the last step -> (n, size)."""
        return _mean(self.gru, torch.nan_to_num(sequences), ~torch.isnan(sequences[:, :, 0]))


class SoundReader(nn.Module):
    """Two convolutions over time and pitch, then a GRU over time."""

    def __init__(self, bands: int, size: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d((1, 2))),
        )
        self.gru = nn.GRU(24 * (bands // 4), size, batch_first=True)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """(n, steps, bands), NaN after the last step -> (n, size)."""
        there = ~torch.isnan(sequences[:, :, 0])
        maps = self.look(torch.nan_to_num(sequences)[:, None])
        steps = maps.permute(0, 2, 1, 3).flatten(2)
        return _mean(self.gru, steps, there[:, ::2][:, : steps.shape[1]])


def _mean(gru: nn.GRU, steps: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """(n, size) mean of what the GRU says at the steps that are *there* (n, steps)."""
    said, _ = gru(steps)
    weight = there[:, :, None].to(said.dtype)
    mean: torch.Tensor = (said * weight).sum(1) / weight.sum(1).clamp(min=1)
    return mean


def train_reader(
    make: Callable[[int], nn.Module], sequences: Floats, labels: Longs, seed: int, config: RecurrentConfig
) -> nn.Module:
    """Train the reader that *make* gives for an embedding size.

    Args:
        make: the network.
        sequences: (n, steps, width), NaN after the last step.
        labels: (n,) category, 0 to c - 1.
        seed: of weights and batches.
        config: how long.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        reader, head = make(config.embedding_size), nn.Linear(config.embedding_size, int(labels.max()) + 1)
        parameters = [*reader.parameters(), *head.parameters()]
        optimiser = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.reg)
        given, kinds = torch.from_numpy(sequences), torch.from_numpy(labels)
        for rows in _batches(len(labels), config):
            said = functional.dropout(reader(given[rows]), config.dropout)
            loss = functional.cross_entropy(head(said), kinds[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return reader.eval()


@torch.inference_mode()
def read(reader: nn.Module, sequences: Floats, batch_size: int = 256) -> Floats:
    """(n, size) rows of length one."""
    parts = [functional.normalize(reader(part), dim=1) for part in torch.split(torch.from_numpy(sequences), batch_size)]
    return torch.cat(parts).numpy()


def _batches(n: int, config: RecurrentConfig) -> Iterator[torch.Tensor]:
    for _ in range(config.epochs):
        for rows in torch.split(torch.randperm(n), config.batch_size):
            if len(rows) > 1:
                yield rows
