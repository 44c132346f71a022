"""What the page takes from the shop's own folder: users to pick from, queries to try, photos.

User ids of a release are pseudonyms; the shop's own tables are the only place that has the raw ones.
"""

from dataclasses import dataclass
from pathlib import Path

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.tables import read_table

SUFFIXES = (".parquet", ".csv")
OFFERED = 50


@dataclass(frozen=True)
class OwnShop:
    """A shop's folder, and some of its raw user ids and queries."""

    root: Path
    users: tuple[str, ...]
    queries: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> "OwnShop":
        """Look into the folder that `cuvee run --data` was given.

        Raises:
            ConfigError: there is no such folder, or it holds no items.
            DataError: a table is damaged.
        """
        if _table(folder, "items") is None:
            raise ConfigError(f"--shop: {folder} holds no items.parquet or items.csv, expected a shop's folder.")
        return cls(folder.resolve(), _first(folder, "users", c.USER_ID), _first(folder, "judgements", c.QUERY))


def _table(folder: Path, name: str) -> Path | None:
    return next((path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def _first(folder: Path, table: str, column: str) -> tuple[str, ...]:
    """The first `OFFERED` distinct values of a column; none where there is no such table or column."""
    path = _table(folder, table)
    frame = read_table(path) if path else None
    if frame is None or column not in frame:
        return ()
    return tuple(str(value) for value in frame[column].dropna().unique()[:OFFERED])
