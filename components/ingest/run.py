"""Stage `ingest`: any source becomes the shop's canonical tables, without personal ids."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.files import write_json
from components.common.identity import id_key, pseudonymise
from components.common.prepared import SHOP_FILE
from components.common.stage import progress
from components.ingest.bazaar.source import read_bazaar
from components.ingest.complete_journey import read_complete_journey
from components.ingest.folder import read_folder
from components.ingest.personal import without_contacts
from components.ingest.shop import Ledger, Shop

REPORT_FILE = "ingest_report.json"
Source = Callable[[str, Path | None], Shop]
SOURCES: dict[str, Source] = {"complete-journey": read_complete_journey, "bazaar": read_bazaar}


def ingest(source: str, config: str | None, store: str, out: Path) -> dict[str, Any]:
    """Read *source* and write its tables to *out* as Parquet, with shop.json and ingest_report.json.

    Args:
        source: a name in `SOURCES`, or the path of a folder with the shop's tables.
        config: path of a shop.yaml that replaces the source's own; None or empty: the source's own.
        store: folder that holds the key of the pseudonyms where CUVEE_ID_KEY is not set.
        out: folder to write to.

    Returns:
        The report, as written: {"source", "tables": {name: rows}, "corrections": [...]}.

    Raises:
        ConfigError: no such source or folder, or a typo in shop.yaml.
        DataError: a table breaks the contract's structure.
    """
    shop = reader(source)(source, Path(config) if config else None)
    ledger = Ledger(shop.corrections)
    shop = replace(shop, tables=without_contacts(shop.tables, ledger), corrections=ledger)
    _hide_users(shop, Path(store) if store else None)
    out.mkdir(parents=True, exist_ok=True)
    for done, (name, frame) in enumerate(shop.tables.items(), start=1):
        frame.to_parquet(out / f"{name}.parquet", index=False, coerce_timestamps="us")
        progress("ingest", done, len(shop.tables))
    report = {
        "source": source if source in SOURCES else "folder",
        "tables": {name: len(frame) for name, frame in shop.tables.items()},
        "corrections": [done.report() for done in shop.corrections],
    }
    write_json(out / SHOP_FILE, shop.config.model_dump(mode="json"))
    write_json(out / REPORT_FILE, report)
    return report


def reader(source: str) -> Source:
    """The function that reads *source*.

    Raises:
        ConfigError: it is neither a known name nor an existing folder.
    """
    if source in SOURCES:
        return SOURCES[source]
    if Path(source).is_dir():
        return read_folder
    found = "is a file" if Path(source).exists() else "does not exist"
    raise ConfigError(
        f"The data source '{source}' {found}. Expected {', '.join(SOURCES)} or a folder that holds "
        "items.parquet or items.csv. Check the path, or see docs/bring-your-own-data.md."
    )


def _hide_users(shop: Shop, store: Path | None) -> None:
    """Replace user ids by pseudonyms in every table that has them; a shop without users needs no key."""
    named = [name for name, frame in shop.tables.items() if c.USER_ID in frame]
    key = id_key(store) if named else b""
    for name in named:
        frame = shop.tables[name]
        shop.tables[name] = frame.assign(**{c.USER_ID: pseudonymise(frame[c.USER_ID], key)})
