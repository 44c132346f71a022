"""What one bazaar is asked to be."""

import numpy as np
import numpy.typing as npt
from pydantic import Field

from components.common.config import Config

FEWEST_ITEMS = 72  # two of every type
DAYS = 364  # 13 windows of four weeks
START = "2024-01-01T00:00:00Z"  # a Monday
SETTINGS = {"task": "discovery", "currency": "EUR", "languages": ["en", "zh"], "window_days": 28}  # shop.yaml
SECOND, DAY = 1_000_000, 86_400_000_000  # µs


class BazaarConfig(Config):
    """A simulated shop: how large, and the seed from which all of it follows."""

    users: int = Field(2000, ge=20, le=10_000_000, description="how many users")
    items: int = Field(1000, ge=FEWEST_ITEMS, le=10_000_000, description="how many items")
    seed: int = Field(0, ge=0, lt=2**31, description="every random choice follows from it")
    users_at_once: int = Field(
        20_000, ge=20, description="whose visits are held in memory; another number, another shop"
    )

    def rng(self, part: str, block: int = 0) -> np.random.Generator:
        """The random numbers of one *part*: a change in one part leaves those of the others as they are.

        Args:
            part: the name of what is drawn.
            block: the number of the block of users for whom it is drawn.
        """
        return np.random.default_rng([self.seed, self.users, self.items, block, *part.encode()])

    def blocks(self) -> list[npt.NDArray[np.int32]]:
        """The users (row numbers) in blocks of about equal size."""
        count = -(-self.users // self.users_at_once)
        return np.array_split(np.arange(self.users, dtype=np.int32), count)
