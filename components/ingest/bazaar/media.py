"""The media files of the items, below the folder of the tables."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common import columns as c
from components.ingest.bazaar.catalogue import item_ids
from components.ingest.bazaar.clips import clip
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.jingles import jingle
from components.ingest.bazaar.photos import photo
from components.ingest.bazaar.world import Items

FOLDER = "media"
Maker = Callable[[Items, int, np.random.Generator], bytes]
# column: ending of the files, share of the items that have one, what makes it
KINDS: dict[str, tuple[str, float, Maker]] = {
    c.IMAGE: ("jpg", 0.96, photo),
    c.AUDIO: ("wav", 0.6, jingle),
    c.VIDEO: ("mp4", 0.4, clip),
}


def media_paths(config: BazaarConfig, items: Items) -> dict[str, npt.NDArray[np.object_]]:
    """By column, (n,) where each item's file is, relative to the tables; None where the item has none."""
    rng, ids = config.rng("media"), item_ids(len(items))
    paths = {}
    for column, (ending, share, _) in KINDS.items():
        there = rng.random(len(items)) < share
        there |= items.photo_only & (column == c.IMAGE)
        names = [f"{FOLDER}/{column}/{name}.{ending}" for name in ids]
        paths[column] = np.array(names, dtype=object)
        paths[column][~there] = None
    return paths


def write_media(config: BazaarConfig, items: Items, folder: Path) -> int:
    """Write every file that `media_paths` names below *folder*; return how many."""
    paths = media_paths(config, items)
    wanted = [(column, item) for column, names in paths.items() for item, name in enumerate(names) if name]
    for column in paths:
        (folder / FOLDER / column).mkdir(parents=True, exist_ok=True)
    for column, item in wanted:
        rng = np.random.default_rng([config.seed, item, *column.encode()])
        (folder / paths[column][item]).write_bytes(KINDS[column][2](items, item, rng))
    return len(wanted)
