"""The items of a release, in the order every array of the release is aligned with."""

from collections.abc import Callable
from functools import cached_property
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from serving.arrays import PAD, Bools, Ints


class Catalogue:
    """Row i of *items* is item i of every member's arrays.

    items: item_id, title, description, category, brand, price, price_norm, available, image, attributes, ...
    """

    def __init__(self, items: pd.DataFrame) -> None:
        self.items = items.reset_index(drop=True)
        self._texts: dict[str, tuple[Ints, list[str]]] = {}

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
    def prices(self) -> npt.NDArray[np.float64]:
        """(n_items,) in the shop's currency, NaN where unknown."""
        return self.items[c.PRICE].to_numpy(dtype=np.float64)

    @cached_property
    def available(self) -> Bools:
        """(n_items,) may be offered."""
        return self.items[c.AVAILABLE].to_numpy(dtype=bool)

    def where(self, column: str, holds: Callable[[str], bool]) -> Bools:
        """(n_items,) items whose text in *column* passes *holds*, which is asked once per distinct text."""
        codes, texts = self._distinct(column)
        passed = np.fromiter((holds(text) for text in texts), dtype=bool, count=len(texts))
        return np.asarray(passed[codes])

    def _distinct(self, column: str) -> tuple[Ints, list[str]]:
        if column not in self._texts:
            codes, texts = pd.factorize(self.items[column].astype(str))
            self._texts[column] = codes.astype(np.int32), [str(text) for text in texts]
        return self._texts[column]

    def index(self, item_ids: list[str]) -> Ints:
        """Rows of *item_ids*; -1 for ids this release does not know."""
        return np.fromiter(map(self.rows.get, item_ids, repeat(PAD)), dtype=np.int32, count=len(item_ids))
