"""Source `folder`: a shop's own tables as Parquet or CSV files in one folder, with an optional shop.yaml."""

from pathlib import Path

import pandas as pd

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.errors import ConfigError, DataError
from components.common.tables import CONTRACT, canonical, read_table, unknown_columns
from components.ingest.shop import Ledger, Shop

SUFFIXES = (".parquet", ".csv")
SHOP_YAML = "shop.yaml"
MEDIA = (c.IMAGE, c.AUDIO, c.VIDEO)


def read_folder(source: str, config: Path | None) -> Shop:
    """Read the tables of the folder *source*; only `items` is required, files with other names are ignored.

    Args:
        source: path of the folder.
        config: a shop.yaml to use instead of the one beside the tables.

    Raises:
        ConfigError: shop.yaml has a typo.
        DataError: a table is damaged or breaks the contract's structure.
    """
    folder, ledger = Path(source), Ledger()
    settings = _settings(folder, config)
    files = {table: path for table in c.TABLES if (path := _file_of(folder, table)) is not None}
    if "items" not in files:
        found = sorted(path.name for path in folder.iterdir())[:10]
        remedy = "Put items.parquet or items.csv there; every other table is optional."
        raise DataError("items", "", 0, f"{folder}: {found}", "a file of that name", remedy)
    tables = {}
    for table, path in files.items():
        frame = read_table(path)
        tables[table] = canonical(table, frame, text=path.suffix == ".csv")
        extra = unknown_columns(table, frame)
        if extra and not CONTRACT[table].open:
            why = f"The contract does not name {', '.join(extra)}: left out."
            ledger.note("unknown_column", table, why, len(frame), len(extra))
    _locate_media(tables["items"], folder, ledger)
    return Shop(tables, settings, ledger)


def _locate_media(items: pd.DataFrame, folder: Path, ledger: Ledger) -> None:
    """Make the paths of media, which are relative to *folder*, absolute: later stages stand elsewhere."""
    for column in [column for column in MEDIA if column in items]:
        located = [_absolute(cell, folder) for cell in items[column]]
        left = sum(path is None and bool(cell) for path, cell in zip(located, items[column], strict=True))
        if left:
            why = f"A relative path in '{column}' leads out of the folder, by '..' or by a link: it is left out."
            ledger.note("media_outside", "items", why, len(items), left)
        items[column] = pd.Series(located, dtype=object)


def _absolute(cell: str | None, folder: Path) -> str | None:
    """A path from the root, None where it leads out of *folder*; URIs, paths from the root, empty cells as they are."""
    if not cell or "://" in cell or cell.startswith("/"):
        return cell
    path = folder.absolute() / cell
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        return None
    return str(path) if inside else None


def _settings(folder: Path, config: Path | None) -> ShopConfig:
    path = config or folder / SHOP_YAML
    return ShopConfig.from_yaml(path) if config or path.exists() else ShopConfig.parse({}, "defaults")


def _file_of(folder: Path, table: str) -> Path | None:
    """The one file that holds *table*, if any."""
    found = [path for suffix in SUFFIXES if (path := folder / f"{table}{suffix}").exists()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ConfigError(f"{folder}: found both {names}; expected one file per table. Remove the one that is stale.")
    return found[0] if found else None
