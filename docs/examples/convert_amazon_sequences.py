"""Turn the Amazon 5-core sequences into a shop folder: `python docs/examples/convert_amazon_sequences.py SRC OUT`.

SRC holds one <name>.sequences.parquet (user_id, items: list of item ids, oldest first) and one
<name>.item_attributes.parquet (item_id, attributes: list of attribute ids). There are no times, texts or prices:
a review's timestamp is a base date plus its position in days, and shop.yaml says that only the order counts.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

BASE = pd.Timestamp("2014-01-01", tz="UTC")
SHOP = "repeat_purchases: false\nordinal_time: true\ntask: discovery\nmin_item_users: 0\n"


def convert(source: Path, out: Path) -> dict[str, int]:
    """Write events.parquet, items.parquet and shop.yaml to *out*; returns rows per table and count of each rule."""
    sequences = pd.read_parquet(_only(source, "*.sequences.parquet"))
    attributes = pd.read_parquet(_only(source, "*.item_attributes.parquet"))
    reviews = _events(sequences)
    catalogue = _items(attributes)
    unknown = ~reviews["item_id"].isin(catalogue["item_id"])
    out.mkdir(parents=True, exist_ok=True)
    reviews[~unknown].to_parquet(out / "events.parquet", index=False)
    catalogue.to_parquet(out / "items.parquet", index=False)
    (out / "shop.yaml").write_text(SHOP, encoding="utf-8")
    return {
        "events": int((~unknown).sum()),
        "items": len(catalogue),
        "events_of_unknown_items_left_out": int(unknown.sum()),
    }


def _events(sequences: pd.DataFrame) -> pd.DataFrame:
    """One review per position of each sequence."""
    lengths = sequences["items"].str.len()
    position = np.concatenate([np.arange(length) for length in lengths])
    return pd.DataFrame(
        {
            "user_id": np.repeat(sequences["user_id"].astype(str).to_numpy(), lengths),
            "item_id": np.concatenate(sequences["items"].to_list()).astype(str),
            "event": "review",
            "timestamp": (BASE + pd.to_timedelta(position, unit="D")).as_unit("us"),
        }
    )


def _items(attributes: pd.DataFrame) -> pd.DataFrame:
    """Titles such as 'a12 a7': attribute ids are all that is known, and equal ids mean equal words."""
    tokens = [[f"a{each}" for each in sorted(row)] for row in attributes["attributes"]]
    return pd.DataFrame(
        {
            "item_id": attributes["item_id"].astype(str),
            "title": [" ".join(words) or "unknown" for words in tokens],
            "attributes": [json.dumps({"attributes": words}) for words in tokens],
        }
    )


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{folder}: found {len(found)} files {pattern}, expected one.")
    return found[0]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.stdout.write(json.dumps(convert(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
