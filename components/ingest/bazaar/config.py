"""What one bazaar is asked to be."""

import numpy as np
from pydantic import Field

from components.common.config import Config

FEWEST_ITEMS = 72  # two of every type
DAYS = 364  # 13 windows of four weeks
START = "2024-01-01T00:00:00Z"  # a Monday
SECOND, DAY = 1_000_000, 86_400_000_000  # µs


class BazaarConfig(Config):
    """A simulated shop: how large, and the seed from which all of it follows."""

    users: int = Field(2000, ge=20, le=10_000_000, description="how many users")
    items: int = Field(1000, ge=FEWEST_ITEMS, le=10_000_000, description="how many items")
    seed: int = Field(0, ge=0, lt=2**31, description="every random choice follows from it")

    def rng(self, part: str) -> np.random.Generator:
        """The random numbers of one *part*: a change in one part leaves those of the others as they are."""
        return np.random.default_rng([self.seed, self.users, self.items, *part.encode()])
