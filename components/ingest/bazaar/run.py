"""`cuvee bazaar`: write a simulated shop's tables, its media and, apart from them, its truth."""

from collections.abc import Callable
from pathlib import Path

import yaml

from components.common.errors import ConfigError
from components.common.files import write_text
from components.common.tables import canonical
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.media import media_paths, write_media
from components.ingest.bazaar.tables import make_bazaar
from components.ingest.bazaar.truth import FOLDER, write_truth
from components.ingest.folder import SHOP_YAML

SETTINGS = {"task": "discovery", "currency": "EUR", "languages": ["en", "zh"], "window_days": 28}


def write_bazaar(
    config: BazaarConfig, out: Path, with_media: bool = True, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Write the shop of *config* to *out*: a folder that `cuvee run --data` reads.

    Args:
        config: how large, and the seed; the same config gives the same bytes.
        out: a folder that is empty or not there.
        with_media: write photos, jingles and clips too; without them the items name none.
        progress: told how many of how many media files are written.

    Returns:
        Rows by table, and under "media" how many files.

    Raises:
        ConfigError: *out* holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: found something there already; expected a new or empty folder. Name another one.")
    bazaar = make_bazaar(config)
    tables, items = bazaar.tables, bazaar.world.items
    out.mkdir(parents=True, exist_ok=True)
    if with_media:
        tables["items"] = canonical("items", tables["items"].assign(**media_paths(config, items)))
    for name, frame in tables.items():
        frame.to_parquet(out / f"{name}.parquet", index=False, coerce_timestamps="us")
    write_text(out / SHOP_YAML, yaml.safe_dump(SETTINGS, sort_keys=False))
    write_truth(bazaar, out / FOLDER)
    files = write_media(config, items, out, progress) if with_media else 0
    return {name: len(frame) for name, frame in tables.items()} | {"media": files}
