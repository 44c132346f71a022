"""A release of a small bazaar, with its photos, by the real stages but for the blend, which is set by hand."""

import fcntl
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.files import write_json
from components.common.prepared import ITEMS_FILE, Prepared
from components.deploy.publish import publish
from components.encode.media import IMAGE_FILE, encode_media
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.ingest.run import ingest
from components.materialize.online import materialize_online
from components.materialize.run import materialize
from components.package.run import package
from components.prepare.run import prepare
from components.train_cf.histories import clock_of, training_states
from components.train_cf.item_knn import ItemKnnConfig, ItemKnnTrainer
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from components.train_rules.complements import ComplementsConfig, complements
from components.train_rules.given import given
from components.train_rules.pruned import write as write_relations
from components.train_rules.run import together
from components.train_text.lexical import train_lexical
from components.train_text.media import SeenConfig, joint_photos, train_image_member
from components.train_text.tfidf import train_tfidf
from serving.ads import CLICKS_FILE, ClickModel
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.members.history import HistoryWeights

USERS, ITEMS = 200, 96
MEMBERS = ("complements", "image", "item_knn", "lexical", "popularity", "substitutes", "tfidf")
TASKS = {  # the weight of each member's value
    "discovery": {"item_knn": 1.0, "tfidf": 0.5, "popularity": 0.2},
    "next_basket": {"item_knn": 1.0, "tfidf": 0.5, "popularity": 0.2},
    "search": {"lexical": 1.0, "tfidf": 0.5, "image": 0.5, "popularity": 0.1},
    "similar": {"substitutes": 1.0, "tfidf": 1.0, "image": 1.0, "item_knn": 0.3, "popularity": 0.1},
    "bundle": {"complements": 1.0, "item_knn": 0.5, "popularity": 0.1},
}
PROMOTED = tuple(f"i{item:06}" for item in range(0, ITEMS, 12))
CLICKS = ClickModel(  # every ad is clicked alike
    members=("popularity",), means=(0.0,), scales=(1.0,), weights=(0.0,), missing=(0.0,), intercept=-2.0, seen=1.0
)


def bazaar_store(root: Path) -> Path:
    """The store of a published release; the shop's own folder is `shop` beside it. Made once under *root*.

    Processes of one test run share it.
    """
    with (root / "bazaar_store.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not (root / "bazaar" / "store").exists():
            _build(root / "bazaar")
    return root / "bazaar" / "store"


def _build(work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    building = work / "building"
    building.mkdir(parents=True)
    write_bazaar(BazaarConfig.parse({"users": USERS, "items": ITEMS, "seed": 0}, "the tests' bazaar"), work / "shop")
    _promote(work / "shop" / "campaigns.parquet")
    ingest(str(work / "shop"), None, str(building), work / "tables")
    prepare(work / "tables", work / "prepared", "temporal", "fast", 0)
    items = pd.read_parquet(work / "prepared" / ITEMS_FILE)
    (work / "embeddings").mkdir()
    encode_media(items.assign(**{c.AUDIO: "", c.VIDEO: ""}), "auto", work / "embeddings", 0)
    _train(work / "prepared", work / "embeddings", work / "members")
    (work / "fusion").mkdir()
    Fusion(tasks={task: _by_hand(rows) for task, rows in TASKS.items()}).save(work / "fusion" / "fusion.json")
    write_json(work / "fusion" / "fit_report.json", {"effort": "fast"})
    write_json(work / "fusion" / CLICKS_FILE, CLICKS.model_dump(mode="json"))
    package(work / "prepared", work / "embeddings", work / "fusion", [work / "members"], work / "release")
    materialize(work / "prepared", None, work / "features")
    materialize_online(work / "features", building)
    publish(work / "release", building)
    os.rename(building, work / "store")


def _promote(path: Path) -> None:
    """Let a promotion for everybody run at the shop's last event, beside its ads: the bazaar's own are over by then."""
    table = pd.read_parquet(path)
    starts, ends = (pd.Timestamp(day, tz="UTC") for day in ("2024-12-16", "2025-01-06"))
    rows = pd.DataFrame({c.ITEM_ID: PROMOTED, c.CAMPAIGN_ID: "new-year", c.KIND: "promotion", c.DISCOUNT: 0.2})
    rows = rows.assign(**{c.STARTS_AT: starts, c.ENDS_AT: ends}).reindex(columns=table.columns)
    pd.concat([table, rows.astype(table.dtypes)], ignore_index=True).to_parquet(path, index=False)


def _train(prepared: Path, embeddings: Path, out: Path) -> None:
    shop = Prepared.load(prepared)
    cut = shop.split.test
    folder, ids = out / cut.members, shop.items[c.ITEM_ID].astype(str).tolist()
    states, history = training_states(shop, cut), HistoryWeights(clock=clock_of(shop))
    popularity, item_knn = PopularityTrainer(PopularityConfig(), history), ItemKnnTrainer(ItemKnnConfig(), history)
    popularity.write(popularity.train(states, len(ids)), folder / "popularity")
    item_knn.write(item_knn.train(states, len(ids)), folder / "item_knn")
    train_lexical(shop.items, folder / "lexical")
    train_tfidf(shop, cut, folder / "tfidf")
    no_texts = np.eye(len(ids), 8, dtype=np.float32)  # of these few items no network learns words
    photos = joint_photos(shop, np.load(embeddings / IMAGE_FILE), no_texts, 0, SeenConfig())
    train_image_member(shop, photos, cut, folder / "image", 0)
    bought = complements(together(shop, cut), ComplementsConfig())
    write_relations((bought + given(prepared, "complement", ids)).tocsr(), "complements", {}, folder / "complements")
    write_relations(given(prepared, "substitute", ids), "substitutes", {}, folder / "substitutes")


def _by_hand(rows: dict[str, float]) -> TaskFusion:
    weights = np.zeros((len(MEMBERS), len(FEATURES)))
    weights[:, 0] = [rows.get(name, 0.0) for name in MEMBERS]
    kept = [place for place, name in enumerate(MEMBERS) if name in rows]
    table = tuple(tuple(weights[place].tolist()) for place in kept)
    blend = Blend(kind="least_squares", members=tuple(MEMBERS[place] for place in kept), weights=table)
    return TaskFusion(chosen="least_squares", methods={"least_squares": blend})
