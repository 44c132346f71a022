"""What the fuse stage reads, written by real trainers: import it as `fuse_parts`."""

from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.prepared import Cut, Prepared
from components.train_cf.histories import clock_of, training_states
from components.train_cf.item_knn import ItemKnnConfig, ItemKnnTrainer
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from components.train_text.lexical import train_lexical
from components.train_text.tfidf import train_tfidf
from serving.members.history import HistoryWeights


def write_states(shop: Prepared, cut: Cut, folder: Path) -> None:
    """Point-in-time rows of the users with a target, as the materialize stage leaves them."""
    users = np.unique(shop.target(cut)[c.USER])
    history = shop.history(cut)
    history = history[history[c.USER].isin(users)]
    at = history[c.TIMESTAMP].astype("datetime64[us, UTC]").astype("int64")
    grouped = history.assign(at=at).groupby([c.USER, c.ITEM])["at"]
    frame = pd.DataFrame({"last": grouped.max(), "first": grouped.min(), "count": grouped.size()}).reset_index()
    names = shop.items[c.ITEM_ID].astype(str).to_numpy()
    ids = shop.users[c.USER_ID].astype(str).to_numpy()
    rows = []
    for user in users:
        own = frame[frame[c.USER] == user]
        rows.append(
            {
                c.USER_ID: ids[user],
                c.EVENT_TIMESTAMP: pd.Timestamp(cut.as_of or 0, unit="us", tz="UTC").as_unit("us"),
                c.ITEM_IDS: names[own[c.ITEM]].tolist(),
                c.LAST_AT: own["last"].to_numpy(),
                c.FIRST_AT: own["first"].to_numpy(),
                c.COUNTS: own["count"].to_numpy(dtype=np.float32),
                c.PROFILE: "{}",
            }
        )
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / f"{cut.name}.parquet", index=False)


def write_members(shop: Prepared, root: Path) -> None:
    """Real members of two families, for every training."""
    for cut in shop.split.trainings:
        train_lexical(shop.items, root / "text" / cut.members / "lexical")
        train_tfidf(shop, cut, root / "text" / cut.members / "tfidf")
        if not len(shop.events):
            continue
        states, weights = training_states(shop, cut), HistoryWeights(clock=clock_of(shop))
        knn = ItemKnnTrainer(ItemKnnConfig.parse({}, "test"), weights)
        knn.write(knn.train(states, len(shop.items)), root / "cf" / cut.members / "item_knn")
        popular = PopularityTrainer(PopularityConfig.parse({}, "test"), weights)
        popular.write(popular.train(states, len(shop.items)), root / "cf" / cut.members / "popularity")
