"""On the simulated shop, whose truth is known: what photos, jingles and clips tell of items that say nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.encode.media import encode_media
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from serving.arrays import Bools, Floats

ITEMS = 500
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    """Items with a fifth of the categories taken away, their truth, and the folder of their encoded media."""
    folder = tmp_path_factory.mktemp("bazaar")
    write_bazaar(BazaarConfig(users=20, items=ITEMS, seed=2), folder / "shop")
    items = pd.read_parquet(folder / "shop" / "items.parquet").fillna({c.CATEGORY: ""})
    truth = pd.read_parquet(folder / "shop" / "truth" / "items.parquet").set_index(c.ITEM_ID).loc[items[c.ITEM_ID]]
    items.loc[np.arange(ITEMS) % 5 == 0, c.CATEGORY] = ""
    for kind in (c.IMAGE, c.AUDIO, c.VIDEO):
        items[kind] = [str(folder / "shop" / path) if path else "" for path in items[kind].fillna("")]
    (folder / "out").mkdir()
    encode_media(items, "auto", folder / "out", 0)
    return items, truth, folder / "out"


def vectors_of(out: Path, kind: str) -> Floats:
    vectors: Floats = np.load(out / f"{kind}.npy", allow_pickle=False)
    return vectors


def told(vectors: Floats, truth: "pd.Series[str]", asked: Bools) -> float:
    """The share of the items *asked* whose nearest item with a category is of their kind."""
    known = ~np.isnan(vectors).any(axis=1)
    rows, taught = np.flatnonzero(known & asked), np.flatnonzero(known & ~asked)
    nearest = taught[(vectors[rows] @ vectors[taught].T).argmax(axis=1)]
    return float((truth.to_numpy()[nearest] == truth.to_numpy()[rows]).mean())


@pytest.mark.parametrize(("kind", "least"), [(c.IMAGE, 0.35), (c.AUDIO, 0.6), (c.VIDEO, 0.3)])
def test_media_tell_the_category_of_items_that_name_none(
    kind: str, least: float, shop: tuple[pd.DataFrame, pd.DataFrame, Path]
) -> None:
    items, truth, out = shop
    unnamed = (items[c.CATEGORY] == "").to_numpy()
    assert told(vectors_of(out, kind), truth["category"], unnamed) >= least  # by chance: 1 in 18


def test_an_item_with_a_photo_and_nothing_else_is_found_beside_its_kind(
    shop: tuple[pd.DataFrame, pd.DataFrame, Path],
) -> None:
    items, truth, out = shop
    arrivals, vectors = truth["photo_only"].to_numpy(dtype=bool), np.nan_to_num(vectors_of(out, c.IMAGE))
    assert items[c.TITLE][arrivals].str.startswith("New arrival").all()  # the text says no more than that
    likeness = vectors[arrivals] @ vectors[~arrivals].T
    nearest = np.argsort(-likeness, axis=1)[:, :10]
    kinds = truth["category"].to_numpy()
    same = kinds[~arrivals][nearest] == kinds[arrivals][:, None]
    by_chance = (kinds[~arrivals][None] == kinds[arrivals][:, None]).mean()
    assert same.mean() > 3 * by_chance


def test_the_order_of_notes_is_worth_more_than_the_notes(shop: tuple[pd.DataFrame, pd.DataFrame, Path]) -> None:
    items, truth, out = shop
    unnamed = (items[c.CATEGORY] == "").to_numpy()
    vectors = vectors_of(out, c.AUDIO)
    whole, read = vectors[:, :80], vectors[:, 80:]
    assert read.shape[1] == 64
    assert told(read, truth["category"], unnamed) > told(whole, truth["category"], unnamed)
