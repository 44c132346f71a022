"""Turn Amazon histories into a shop folder: `python docs/examples/convert_amazon_histories.py SRC OUT`.

SRC names a set, such as FOLDER/Office_Products: there are SRC.items.parquet (item_id, title, description, brand) and
SRC.valid.parquet and SRC.test.parquet (user_id, history_item_id: item ids, oldest first, item_id: the next one). A user
is in several rows; the longest history and its next item are taken. There are no times: a review's timestamp is a base
date plus its position in days, and shop.yaml says that only the order counts.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

BASE = pd.Timestamp("2014-01-01", tz="UTC")
SHOP = "repeat_purchases: false\nordinal_time: true\ntask: discovery\nmin_item_users: 0\n"
PARTS = ("valid", "test")


def convert(source: Path, out: Path) -> dict[str, int]:
    """Write events.parquet, items.parquet and shop.yaml to *out*; returns rows per table."""
    rows = pd.concat([pd.read_parquet(f"{source}.{part}.parquet") for part in PARTS], ignore_index=True)
    reviews, catalogue = _events(rows), _items(pd.read_parquet(f"{source}.items.parquet"))
    out.mkdir(parents=True, exist_ok=True)
    reviews.to_parquet(out / "events.parquet", index=False)
    catalogue.to_parquet(out / "items.parquet", index=False)
    (out / "shop.yaml").write_text(SHOP, encoding="utf-8")
    return {"events": len(reviews), "items": len(catalogue), "users": reviews["user_id"].nunique()}


def _events(rows: pd.DataFrame) -> pd.DataFrame:
    """One review per item of each user's longest history, and of the item after it; of equal ones the last row's."""
    lengths = rows["history_item_id"].str.len()
    last = rows.assign(length=lengths).sort_values("length", kind="stable").drop_duplicates("user_id", keep="last")
    last = last.sort_index()
    items = [[*history, after] for history, after in zip(last["history_item_id"], last["item_id"], strict=True)]
    sizes = last["length"].to_numpy() + 1
    position = np.concatenate([np.arange(size) for size in sizes])
    return pd.DataFrame(
        {
            "user_id": np.repeat(last["user_id"].astype(str).to_numpy(), sizes),
            "item_id": np.concatenate(items).astype(str),
            "event": "review",
            "timestamp": (BASE + pd.to_timedelta(position, unit="D")).as_unit("us"),
        }
    )


def _items(items: pd.DataFrame) -> pd.DataFrame:
    texts = {name: items[name].fillna("").astype(str) for name in ("title", "description", "brand")}
    return pd.DataFrame({"item_id": items["item_id"].astype(str), **texts})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.stdout.write(json.dumps(convert(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
