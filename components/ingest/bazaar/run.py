"""`cuvee bazaar`: write a simulated shop's tables, its media and, apart from them, its truth."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from components.common.errors import ConfigError
from components.common.files import write_text
from components.common.tables import canonical
from components.ingest.bazaar.config import SETTINGS, BazaarConfig
from components.ingest.bazaar.media import media_paths, write_media
from components.ingest.bazaar.shop import Bazaar, Block, judgements, make_bazaar, standing_tables, visit_blocks
from components.ingest.bazaar.truth import FOLDER, write_truth
from components.ingest.folder import SHOP_YAML


def write_bazaar(config: BazaarConfig, out: Path, with_media: bool = True) -> dict[str, int]:
    """Write the shop of *config* to *out*: a folder that `cuvee run --data` reads.

    Args:
        config: how large, and the seed; the same config gives the same bytes.
        out: a folder that is empty or not there.
        with_media: write photos, jingles and clips too; without them the items name none.

    Returns:
        Rows by table, and under "media" how many files.

    Raises:
        ConfigError: *out* holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: found something there already; expected a new or empty folder. Name another one.")
    out.mkdir(parents=True, exist_ok=True)
    bazaar = make_bazaar(config)
    counts = _write_standing(bazaar, out, with_media)
    blocks = visit_blocks(bazaar)
    first = next(blocks)
    queries, graded = judgements(bazaar, first.searches)
    counts |= _write_tables({"judgements": graded}, out) | _write_logs(first, blocks, out)
    write_text(out / SHOP_YAML, yaml.safe_dump(SETTINGS, sort_keys=False))
    write_truth(bazaar, queries, out / FOLDER)
    return counts | {"media": write_media(config, bazaar.world.items, out) if with_media else 0}


def _write_standing(bazaar: Bazaar, out: Path, with_media: bool) -> dict[str, int]:
    tables = standing_tables(bazaar)
    if with_media:
        paths = media_paths(bazaar.config, bazaar.world.items)
        tables["items"] = canonical("items", tables["items"].assign(**paths))
    return _write_tables(tables, out)


def _write_tables(tables: dict[str, pd.DataFrame], out: Path) -> dict[str, int]:
    for name, frame in tables.items():
        frame.to_parquet(out / f"{name}.parquet", index=False)
    return {name: len(frame) for name, frame in tables.items()}


def _write_logs(first: Block, others: Iterator[Block], out: Path) -> dict[str, int]:
    """Write the tables that grow with the visits, block by block; their rows by name."""
    schemas = {name: pa.Schema.from_pandas(frame, preserve_index=False) for name, frame in first.tables.items()}
    counts = dict.fromkeys(schemas, 0)
    writers = {name: pq.ParquetWriter(out / f"{name}.parquet", schema) for name, schema in schemas.items()}
    try:
        for block in chain([first], others):
            for name, frame in block.tables.items():
                writers[name].write_table(pa.Table.from_pandas(frame, schema=schemas[name], preserve_index=False))
                counts[name] += len(frame)
    finally:
        for writer in writers.values():
            writer.close()
    return counts
