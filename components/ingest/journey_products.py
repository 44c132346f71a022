"""Complete Journey's products as items."""

import json

import pandas as pd

from components.common import columns as c
from components.ingest.shop import Ledger

LEVELS = ("department", "product_category", "product_type")
FIRST_WEEKS = pd.Timedelta(days=28)


def items(products: pd.DataFrame, lines: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """One item per product: title from type, size and maker; the path of its three levels as category.

    Args:
        products: product_id, manufacturer_id, department, brand, product_category, product_type, package_size.
        lines: cleaned transaction lines with product_id, timestamp and price (USD per unit).
        ledger: where the corrections are counted.

    Returns:
        item_id, title, category, brand, price (USD, never null), attributes (JSON).
    """
    untyped = products["product_type"].isna()
    why = "The title and the path stop at the deepest level that is known (department always is)."
    ledger.note("untyped_product", "items", why, len(products), untyped.sum())
    makers = products["brand"] + " " + products["manufacturer_id"].astype(str)
    return pd.DataFrame(
        {
            c.ITEM_ID: products["product_id"].astype(str),
            c.TITLE: _titles(products, makers),
            c.CATEGORY: _paths(products),
            c.BRAND: makers,
            c.PRICE: prices(products, lines, ledger),
            c.ATTRIBUTES: _attributes(products),
        }
    )


def _titles(products: pd.DataFrame, makers: "pd.Series[str]") -> "pd.Series[str]":
    """For example 'Kids Cereal 14.5 OZ, Private 69'."""
    name = products["product_type"].fillna(products["product_category"]).fillna(products["department"])
    size = (" " + products["package_size"]).fillna("")
    return name.str.title() + size + ", " + makers


def _paths(products: pd.DataFrame) -> "pd.Series[str]":
    path = products[LEVELS[0]]
    for level in LEVELS[1:]:
        path = path + (c.CATEGORY_SEPARATOR + products[level]).fillna("")
    return path


def _attributes(products: pd.DataFrame) -> list[str]:
    label, size = products["brand"].tolist(), products["package_size"].tolist()
    cells = [
        {"label": brand} | ({"package_size": pack} if pack else {}) for brand, pack in zip(label, size, strict=True)
    ]
    return [json.dumps(cell) for cell in cells]


def prices(products: pd.DataFrame, lines: pd.DataFrame, ledger: Ledger) -> "pd.Series[float]":
    """The median unit price paid for each product in its first weeks; one never paid for takes its level's median.

    The source has no price list. A median over the whole year would tell members trained on its beginning what was
    paid at its end; what a product cost when it came is known from then on.

    Returns:
        USD, one per row of *products*, never null.
    """
    paid = lines[lines[c.PRICE] > 0]
    came = paid.groupby("product_id")[c.TIMESTAMP].transform("min")
    paid = paid[paid[c.TIMESTAMP] < came + FIRST_WEEKS]
    price = products["product_id"].map(paid.groupby("product_id")[c.PRICE].median())
    missing = price.isna()
    why = "Nobody paid for it: the median of its product type, else category, department or shop stands in."
    ledger.note("unsold_product_price", "items", why, len(products), missing.sum())
    for level in reversed(LEVELS):
        price = price.fillna(
            price[~missing].groupby(products[level]).median().reindex(products[level]).set_axis(price.index)
        )
    return price.fillna(price[~missing].median()).astype("float64")
