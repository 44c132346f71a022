"""Complete Journey's transaction lines and coupon redemptions as purchase events."""

import numpy as np
import pandas as pd

from components.common import columns as c
from components.ingest.shop import Ledger

LOCAL = "US/Eastern"
FUEL = "GASOLINE"


def clean_lines(lines: pd.DataFrame, products: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Drop lines that are no purchase of a known product and give the rest a quantity and a unit price.

    Args:
        lines: household_id, basket_id, product_id, quantity, sales_value, coupon_disc, transaction_timestamp (naive).
        products: product_id, product_type.
        ledger: where the corrections are counted.

    Returns:
        *lines* with timestamp (datetime64[us, UTC]), day (local calendar day, naive), value (units) and
        price (USD per unit, never null).
    """
    known = lines["product_id"].isin(products["product_id"])
    why = "The product table does not hold the product, so nothing can be said or shown of it."
    lines = ledger.keep(lines, known, "unknown_product", "events", why)
    nothing = (lines["quantity"] == 0) & (lines["sales_value"] == 0)
    why = "Neither a quantity nor an amount: a voided line, not a purchase."
    lines = ledger.keep(lines, ~nothing, "empty_line", "events", why)
    value, price = _units(lines, products, ledger)
    utc = lines["transaction_timestamp"].dt.tz_localize("UTC")
    why = "The source's times carry no zone; they are UTC, and the stores' own calendar day is US Eastern."
    ledger.note("naive_utc_timestamp", "events", why, len(lines), len(lines))
    day = utc.dt.tz_convert(LOCAL).dt.tz_localize(None).dt.normalize()
    return lines.assign(timestamp=utc.astype("datetime64[us, UTC]"), day=day, value=value, price=price).reset_index(
        drop=True
    )


def _units(
    lines: pd.DataFrame, products: pd.DataFrame, ledger: Ledger
) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    """Quantity and unit price of each line after the corrections of fuel and zero quantities."""
    fuels = products.loc[products["product_type"].fillna("").str.startswith(FUEL), "product_id"]
    fuel = lines["product_id"].isin(fuels)
    why = "Fuel is counted in thousandths of a gallon (up to 89,638): one fill-up is one unit at the amount paid."
    ledger.note("fuel_quantity", "events", why, len(lines), fuel.sum())
    zero = lines["quantity"] == 0
    ledger.note("zero_quantity", "events", "Paid for without a quantity: one unit.", len(lines), (zero & ~fuel).sum())
    value = lines["quantity"].where(~(fuel | zero), 1).astype("float64")
    return value, lines["sales_value"] / value


def redeemed(lines: pd.DataFrame, redemptions: pd.DataFrame, coupons: pd.DataFrame, ledger: Ledger) -> "pd.Series[str]":
    """The campaign each line was bought under: a redemption marks one line of its household, day and coupon.

    Args:
        lines: cleaned lines, index 0..n-1.
        redemptions: household_id, coupon_upc, campaign_id, redemption_date (local day).
        coupons: coupon_upc, product_id, campaign_id, without duplicates.
        ledger: where the corrections are counted.

    Returns:
        campaign id or None, one per line.
    """
    numbered = redemptions.reset_index(drop=True).rename_axis("redemption").reset_index()
    basket = lines[["household_id", "product_id", "day", "coupon_disc"]].rename_axis("line").reset_index()
    matches = numbered.merge(coupons, on=["coupon_upc", "campaign_id"]).merge(
        basket,
        left_on=["household_id", "product_id", "redemption_date"],
        right_on=["household_id", "product_id", "day"],
    )
    best = matches.sort_values(["redemption", "coupon_disc", "line"], ascending=[True, False, True])
    best = best.drop_duplicates("redemption")
    why = "No line of that household on that day holds a product of the coupon, so it marks no purchase."
    ledger.note("unmatched_redemption", "events", why, len(redemptions), len(redemptions) - len(best))
    marked = best.drop_duplicates("line")
    why = "Two coupons on one line: the line keeps the first one's campaign."
    ledger.note("shared_redemption", "events", why, len(best), len(best) - len(marked))
    campaign = np.full(len(lines), None, dtype=object)
    campaign[marked["line"]] = marked["campaign_id"].astype(str)
    return pd.Series(campaign, index=lines.index)


def events(lines: pd.DataFrame, campaign: "pd.Series[str]") -> pd.DataFrame:
    """One purchase per cleaned line; *campaign* is what `redeemed` gave."""
    return pd.DataFrame(
        {
            c.USER_ID: names(lines["household_id"]),
            c.ITEM_ID: names(lines["product_id"]),
            c.EVENT: "purchase",
            c.TIMESTAMP: lines["timestamp"],
            c.VALUE: lines["value"],
            c.PRICE: lines["price"],
            c.CAMPAIGN_ID: campaign,
            c.SESSION_ID: names(lines["basket_id"]),
        }
    )


def names(numbers: "pd.Series[int]") -> "pd.Series[str]":
    """Whole numbers as ids; each distinct one is written once."""
    codes, distinct = pd.factorize(numbers)
    return pd.Series(np.asarray(distinct).astype(str).astype(object)[codes], index=numbers.index, dtype=object)
