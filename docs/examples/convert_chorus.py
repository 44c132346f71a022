"""Turn the Chorus / Icecat products into a shop folder: `python docs/examples/convert_chorus.py SRC OUT`.

SRC holds products.parquet (id, name, title, short_description, supplier, price in cents, date_released, img_500x500,
attributes as JSON) and judgements.csv.gz (query, docid, rating 0-3). There are no users and no events: the shop has
search and similar items only. Product data: Icecat, Open Content License.
"""

import json
import sys
from pathlib import Path

import pandas as pd

SHOP = "currency: USD\nlanguages: [en]\nmin_item_users: 0\n"
UNNAMED = ("title", "name", "short_description")


def convert(source: Path, out: Path) -> dict[str, int]:
    """Write items.parquet, judgements.parquet and shop.yaml to *out*; returns rows per table and count of each rule."""
    products = pd.read_parquet(source / "products.parquet")
    catalogue = _items(products)
    blank = catalogue["title"] == ""
    unpriced = ~(catalogue["price"] >= 0)
    catalogue = catalogue[~(blank | unpriced)]
    ratings = pd.read_csv(source / "judgements.csv.gz", dtype={"docid": str})
    judged, counts = _judgements(ratings, catalogue["item_id"])
    out.mkdir(parents=True, exist_ok=True)
    catalogue.to_parquet(out / "items.parquet", index=False)
    judged.to_parquet(out / "judgements.parquet", index=False)
    (out / "shop.yaml").write_text(SHOP, encoding="utf-8")
    return {
        "items": len(catalogue),
        "judgements": len(judged),
        "untitled_items_named_otherwise": int((_text(products["title"]) == "").sum() - blank.sum()),
        "untitled_items_left_out": int(blank.sum()),
        "unpriced_items_left_out": int((unpriced & ~blank).sum()),
        **counts,
    }


def _items(products: pd.DataFrame) -> pd.DataFrame:
    title = pd.Series("", index=products.index)
    for column in UNNAMED:
        title = title.where(title != "", _text(products[column]))
    released = pd.to_datetime(products["date_released"], utc=True, format="ISO8601", errors="coerce")
    return pd.DataFrame(
        {
            "item_id": products["id"].astype(str),
            "title": title.str.slice(0, 1000),
            "description": _text(products["short_description"]),
            "brand": _text(products["supplier"]),
            "price": products["price"] / 100,
            "image": _text(products["img_500x500"]),
            "created_at": released.astype("datetime64[us, UTC]"),
            "attributes": products["attributes"],
        }
    )


def _judgements(ratings: pd.DataFrame, item_ids: pd.Series) -> tuple[pd.DataFrame, dict[str, int]]:
    """One grade per query and item: the mean where it was judged twice."""
    known = ratings["docid"].isin(item_ids)
    judged = ratings[known].rename(columns={"docid": "item_id", "rating": "grade"})
    merged = judged.groupby(["query", "item_id"], sort=False)["grade"].mean().reset_index()
    counts = {
        "judgements_of_unknown_items_left_out": int((~known).sum()),
        "repeated_judgements": len(judged) - len(merged),
    }
    return merged, counts


def _text(cells: pd.Series) -> pd.Series:
    return cells.fillna("").astype(str).str.strip()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.stdout.write(json.dumps(convert(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
