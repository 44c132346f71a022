"""The shops that `make bench-search` asks, as folders of tables, and their releases."""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.quality.steps import Kept, composition, source_digest
from components.common import columns as c
from components.common.errors import InputError
from components.common.files import read_json, write_json
from components.common.identity import KEY_VARIABLE
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.train_text.distil import distil
from serving.encoder import TextEncoder
from serving.engine import Engine

DATA, CHORUS, FASHION = "CUVEE_TEST_DATA", "chorus_icecat_search", "fashion_products_small"
KEY = "a key for public data"
ITEMS = 2_000  # of the bazaar


def table(path: Path) -> pd.DataFrame:
    """A data set's table.

    Raises:
        InputError: it is not there.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there. Set {DATA} to the folder that holds {path.parent.name}/{path.name}.")
    return pd.read_csv(path) if path.suffix == ".gz" else pd.read_parquet(path)


def chorus(data: Path, out: Path) -> Path:
    """Write Chorus as a shop's folder: items and judgements."""
    products = table(data / CHORUS / "products.parquet")
    names = {c.ITEM_ID: "id", c.TITLE: "title", c.DESCRIPTION: "short_description", c.BRAND: "supplier"}
    items = pd.DataFrame({ours: products[theirs].fillna("").astype(str) for ours, theirs in names.items()})
    graded = table(data / CHORUS / "judgements.csv.gz")
    judgements = pd.DataFrame(
        {c.QUERY: graded["query"], c.ITEM_ID: graded["docid"].astype(str), c.GRADE: graded["rating"].astype(float)}
    )
    return _written(out, items=items, judgements=judgements)


def fashion(data: Path, out: Path) -> Path:
    """Write the titles of the fashion products as a shop's folder."""
    products = table(data / FASHION / "products.parquet")
    told = {c.ITEM_ID: products["product_id"].astype(str), c.TITLE: products["title"].fillna("").astype(str)}
    titled = pd.DataFrame(told)
    return _written(out, items=titled[titled[c.TITLE] != ""])


def bazaar(out: Path, seed: int) -> Path:
    """Write the items of a bazaar as a shop's folder; its judgements and its truth lie beside it in `written`."""
    if not (out / "written").exists():
        write_bazaar(BazaarConfig(users=1_000, items=ITEMS, seed=seed), out / "written", with_media=False)
    return _written(out / "shop", items=pd.read_parquet(out / "written" / "items.parquet"))


def _written(out: Path, **tables: pd.DataFrame) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        rows.to_parquet(out / f"{name}.parquet", index=False)
    return out


def released(shop: Path, out: Path, seed: int) -> tuple[Engine, Path]:
    """The engine of the shop's release and the folder of its fusion; finished steps are not run again."""
    kept = Kept(out, environment={KEY_VARIABLE: KEY})
    kept.run(composition({"data": str(shop.resolve()), "store": str((out / "store").resolve()), "seed": seed}))
    return Engine.load(kept.path(("package", "release"))), kept.path(("fuse", "fusion"))


def distilled(engine: Engine, steps: Path, out: Path, seed: int) -> tuple[Engine, dict[str, Any]]:
    """The engine with a table of queries learned from its own encoder, and what the distillation said of itself.

    Args:
        engine: of the release that *steps* made.
        steps: the folder of its finished steps.
        out: folder for the encoder; what the same code has written there is taken as it is.
        seed: draws the texts.
    """
    told = out.with_suffix(".json")
    if not told.exists() or read_json(told)["source"] != source_digest():
        kept = Kept(steps)
        prepared, embeddings = kept.path(("prepare", "prepared")), kept.path(("encode", "embeddings"))
        found = distil(prepared, embeddings / "encoder", embeddings / "text.npy", out, seed)
        write_json(told, {**asdict(found), "source": source_digest()})
    other = copy.copy(engine)
    other.encoder = TextEncoder.load(out)
    return other, read_json(told)
