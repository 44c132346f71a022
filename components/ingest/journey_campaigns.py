"""Complete Journey's coupon campaigns and the relevant slice of its promotions."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from components.common import columns as c
from components.ingest.journey_events import LOCAL
from components.ingest.shop import Ledger

STOREWIDE = 10_000  # products: a coupon on more of them says nothing about any
FEATURES = ("D", "F", "H", "L")  # front page, back page, front and back of the wrap
CHAIN = 56  # of the 112 stores: a chain-wide feature
BATCH = 500_000  # promotion rows held at once
PROMOTION = "promotion"


def coupon_campaigns(
    coupons: pd.DataFrame, descriptions: pd.DataFrame, products: pd.DataFrame, ledger: Ledger
) -> pd.DataFrame:
    """Items of each coupon campaign with its span.

    Args:
        coupons: coupon_upc, product_id, campaign_id, without duplicates.
        descriptions: campaign_id, start_date, end_date (local days, both included).
        products: product_id.
        ledger: where the corrections are counted.

    Returns:
        campaign_id, item_id, starts_at, ends_at (UTC), kind.
    """
    reach = coupons.groupby("coupon_upc")["product_id"].transform("nunique")
    why = f"The coupon is valid on more than {STOREWIDE:,} products (up to 14,477): it points at no item."
    narrow = ledger.keep(coupons, reach <= STOREWIDE, "storewide_coupon", "campaigns", why)
    known = narrow["product_id"].isin(products["product_id"])
    why = "The product table does not hold the product."
    narrow = ledger.keep(narrow, known, "unknown_product", "campaigns", why)
    pairs = narrow[["campaign_id", "product_id"]].drop_duplicates().merge(descriptions, on="campaign_id")
    ledger.note(
        "coupons_of_one_campaign", "campaigns", "Several coupons name one item.", len(narrow), len(narrow) - len(pairs)
    )
    return _campaign_rows(pairs, pairs["campaign_id"].astype(str), pairs["start_date"], pairs["end_date"])


def mailer_campaigns(path: Path, weeks: pd.DataFrame, products: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Chain-wide mailer features as one dated campaign a week, read in slices.

    A feature is dated, so nothing before its week can learn from it; as an attribute of the item it would leak.

    Args:
        path: promotions.parquet (20.9 M rows of product_id, store_id, display_location, mailer_location, week).
        weeks: index week; first, last (local days).
        products: product_id.
        ledger: where the corrections are counted.

    Returns:
        campaign_id ('mailer-<week>'), item_id, starts_at, ends_at (UTC), kind.
    """
    counted, rows = _feature_counts(path)
    wide = counted[(counted["stores"] >= CHAIN) & counted["product_id"].isin(products["product_id"])]
    why = (
        f"Kept: products on the front or back page or the wrap of the mailer in at least {CHAIN} stores, "
        "one row per product and week. Displays and inside pages vary by store, which events do not name."
    )
    ledger.note("promotion_slice", "campaigns", why, rows, rows - len(wide))
    dated = wide.join(weeks, on="week", how="inner")
    return _campaign_rows(dated, "mailer-" + dated["week"].astype(str).str.zfill(2), dated["first"], dated["last"])


def _feature_counts(path: Path) -> tuple[pd.DataFrame, int]:
    """product_id, week, stores that feature it; and how many rows were read."""
    parts, rows = [], 0
    reader = pq.ParquetFile(path, read_dictionary=["mailer_location"])
    for batch in reader.iter_batches(batch_size=BATCH, columns=["product_id", "mailer_location", "week"]):
        slice_ = batch.to_pandas()
        rows += len(slice_)
        featured = slice_[slice_["mailer_location"].isin(FEATURES)]
        parts.append(featured.groupby(["product_id", "week"]).size())
    counted = pd.concat(parts).groupby(level=["product_id", "week"]).sum()
    return counted.rename("stores").reset_index(), rows


def _campaign_rows(
    rows: pd.DataFrame, names: "pd.Series[str]", first: "pd.Series[pd.Timestamp]", last: "pd.Series[pd.Timestamp]"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            c.CAMPAIGN_ID: names,
            c.ITEM_ID: rows["product_id"].astype(str),
            c.STARTS_AT: _midnight(first),
            c.ENDS_AT: _midnight(last + pd.Timedelta(days=1)),
            c.KIND: PROMOTION,
        }
    )


def _midnight(days: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """The moment a local day begins, in UTC."""
    return days.dt.tz_localize(LOCAL).dt.tz_convert("UTC").astype("datetime64[us, UTC]")
