"""The items of a release, in the order every array of the release is aligned with."""

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from serving.arrays import PAD, Bools, Ints


class Catalogue:
    """Row i of *items* is item i of every member's arrays.

    items: item_id, title, description, category, brand, price, price_norm, available, image, attributes, ...
    """

    def __init__(self, items: pd.DataFrame) -> None:
        self.items = items.reset_index(drop=True)

    @classmethod
    def load(cls, path: Path) -> "Catalogue":
        """Read a catalogue's Parquet file."""
        return cls(pd.read_parquet(path))

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def ids(self) -> list[str]:
        """Item ids by row."""
        return [str(value) for value in self.items[c.ITEM_ID]]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row by item id."""
        return {item_id: row for row, item_id in enumerate(self.ids)}

    @cached_property
    def available(self) -> Bools:
        """(n_items,) may be offered."""
        return self.items[c.AVAILABLE].to_numpy(dtype=bool)

    def index(self, item_ids: list[str]) -> Ints:
        """Rows of *item_ids*; -1 for ids this release does not know."""
        rows = self.rows
        return np.fromiter((rows.get(item, PAD) for item in item_ids), dtype=np.int32, count=len(item_ids))
