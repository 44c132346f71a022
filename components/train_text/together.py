"""One training by several processes: each takes its share of every batch, and all of them take the same step."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from components.common.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """The processes of a training; alone, everything passes through as it is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Does this process write and speak for all."""
        return self.rank == 0

    def wrapped(self, model: torch.nn.Module) -> torch.nn.Module:
        """*model* with gradients that are the means over all processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def share(self, batch: Sequence[T]) -> Sequence[T]:
        """This process's part of a batch; parts are equally long.

        Raises:
            ConfigError: the batch cannot be divided.
        """
        if len(batch) % self.size:
            raise ConfigError(f"a batch of {len(batch)} cannot be divided by {self.size} processes. Set another size.")
        each = len(batch) // self.size
        return batch[self.rank * each : (self.rank + 1) * each]

    def gathered(self, own: torch.Tensor) -> torch.Tensor:
        """(n * size, d) the (n, d) rows of all processes, in the order of the batch; gradients reach one's own.

        A loss over all rows, times `size`, then has the gradient of one process over the whole batch: each process
        adds what its own rows contribute, and `wrapped` takes the mean.
        """
        if self.size == 1:
            return own
        parts = [torch.empty_like(own) for _ in range(self.size)]
        distributed.all_gather(parts, own.detach().contiguous())
        parts[self.rank] = own
        return torch.cat(parts)


@contextmanager
def together() -> Iterator[Group]:
    """The group that torchrun, and so a TrainJob, puts this process into; alone where there is none."""
    given = distributed.is_initialized()
    if not given and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.init_process_group("gloo")
    if not distributed.is_initialized():
        yield Group()
        return
    try:
        yield Group(distributed.get_rank(), distributed.get_world_size())
        distributed.barrier()
    finally:
        if not given:
            distributed.destroy_process_group()
