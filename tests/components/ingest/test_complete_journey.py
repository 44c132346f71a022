"""Complete Journey: each correction on rows small enough to check by hand, then the counts on the real package."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.common.files import read_json
from components.ingest.journey_campaigns import STOREWIDE, coupon_campaigns
from components.ingest.journey_events import clean_lines, redeemed
from components.ingest.journey_products import items, prices
from components.ingest.run import ingest
from components.ingest.shop import Ledger


def products() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "product_id": [10, 11, 12, 13],
            "manufacturer_id": [69, 2, 2, 5],
            "department": ["GROCERY", "GROCERY", "FUEL", "MISC"],
            "brand": ["Private", "National", "National", "National"],
            "product_category": ["CEREAL", "CEREAL", "FUEL", None],
            "product_type": ["KIDS CEREAL", "KIDS CEREAL", "GASOLINE-REG UNLEADED", None],
            "package_size": ["14.5 OZ", None, None, None],
        }
    )


def lines(**cells: Any) -> pd.DataFrame:
    """A household's four lines: cereal, fuel, a voided line, a product nobody knows."""
    base = {
        "household_id": [1, 1, 1, 1],
        "basket_id": [5, 5, 5, 5],
        "product_id": [10, 12, 11, 99],
        "quantity": [2, 9000, 0, 1],
        "sales_value": [5.0, 21.6, 0.0, 1.0],
        "coupon_disc": [0.0, 0.0, 0.0, 0.0],
        "week": [1, 1, 1, 1],
        "transaction_timestamp": pd.to_datetime(["2017-01-02 03:30:00"] * 4),
    }
    return pd.DataFrame({**base, **cells})


def counts(ledger: Ledger) -> dict[str, int]:
    return {done.correction: done.changed or 0 for done in ledger}


def test_unknown_products_and_voided_lines_go_and_fuel_is_one_fill_up() -> None:
    ledger = Ledger()
    clean = clean_lines(lines(), products(), ledger)
    assert clean["product_id"].tolist() == [10, 12]
    assert clean["value"].tolist() == [2.0, 1.0]
    assert clean["price"].tolist() == [2.5, 21.6]
    assert clean["timestamp"].tolist() == [pd.Timestamp("2017-01-02T03:30:00Z")] * 2
    assert clean["day"].tolist() == [pd.Timestamp("2017-01-01")] * 2  # still New Year's Day in the east of the US
    assert counts(ledger) == {
        "unknown_product": 1,
        "empty_line": 1,
        "fuel_quantity": 1,
        "zero_quantity": 0,
        "naive_utc_timestamp": 2,
    }


def test_a_line_paid_for_without_a_quantity_is_one_unit() -> None:
    ledger = Ledger()
    clean = clean_lines(lines(quantity=[0, 9000, 0, 1]), products(), ledger)
    assert clean["value"].tolist() == [1.0, 1.0]
    assert clean["price"].tolist() == [5.0, 21.6]
    assert counts(ledger)["zero_quantity"] == 1


def test_a_redemption_marks_the_line_of_its_local_day_that_had_the_discount() -> None:
    ledger = Ledger()
    clean = clean_lines(
        lines(product_id=[10, 12, 11, 11], quantity=[1, 1, 1, 1], coupon_disc=[0, 0, 0.5, 0]), products(), ledger
    )
    coupons = pd.DataFrame({"coupon_upc": [7, 7], "product_id": [10, 11], "campaign_id": [26, 26]})
    day = pd.Timestamp("2017-01-01")
    redemptions = pd.DataFrame(
        {"household_id": [1, 2], "coupon_upc": [7, 7], "campaign_id": [26, 26], "redemption_date": [day, day]}
    )
    marked = redeemed(clean, redemptions, coupons, ledger)
    assert clean["product_id"].tolist() == [10, 12, 11, 11]
    assert marked.tolist() == [None, None, "26", None]
    assert counts(ledger)["unmatched_redemption"] == 1


def test_titles_paths_and_prices_have_no_gaps() -> None:
    ledger = Ledger()
    clean = clean_lines(lines(), products(), ledger)
    table = items(products(), clean, ledger)
    assert table["title"].tolist()[:2] == ["Kids Cereal 14.5 OZ, Private 69", "Kids Cereal, National 2"]
    assert table["title"].tolist()[3] == "Misc, National 5"
    assert table["category"].tolist()[0] == "GROCERY > CEREAL > KIDS CEREAL"
    assert table["category"].tolist()[3] == "MISC"
    # sold at 2.50; same type; sold at 21.60; nothing known: the median of 2.50 and 21.60
    assert table["price"].tolist() == pytest.approx([2.5, 2.5, 21.6, 12.05])
    assert json.loads(table["attributes"][0]) == {"label": "Private", "package_size": "14.5 OZ"}
    assert counts(ledger)["unsold_product_price"] == 2


def test_what_is_paid_later_does_not_show_in_the_price() -> None:
    days = pd.to_datetime(["2017-01-02", "2017-01-30", "2017-12-24", "2017-12-24"], utc=True)
    paid = pd.DataFrame({"product_id": [10, 10, 10, 12], "timestamp": days, "price": [2.0, 9.0, 9.0, 5.0]})
    assert prices(products(), paid, Ledger()).loc[products()["product_id"].isin([10, 12])].tolist() == [2.0, 5.0]


def test_a_storewide_coupon_names_no_item_and_spans_are_local_days() -> None:
    ledger = Ledger()
    wide = pd.DataFrame({"coupon_upc": 8, "product_id": range(100, 101 + STOREWIDE), "campaign_id": 26})
    narrow = pd.DataFrame({"coupon_upc": [7, 9, 7], "product_id": [10, 10, 99], "campaign_id": 26})
    spans = pd.DataFrame(
        {"campaign_id": [26], "start_date": pd.to_datetime(["2017-01-01"]), "end_date": pd.to_datetime(["2017-07-01"])}
    )
    table = coupon_campaigns(pd.concat([wide, narrow]), spans, products(), ledger)
    assert table[["campaign_id", "item_id", "kind"]].to_numpy().tolist() == [["26", "10", "promotion"]]
    assert table["starts_at"][0] == pd.Timestamp("2017-01-01T05:00:00Z")
    assert table["ends_at"][0] == pd.Timestamp("2017-07-02T04:00:00Z")
    assert counts(ledger) == {"storewide_coupon": STOREWIDE + 1, "unknown_product": 1, "coupons_of_one_campaign": 1}


def test_the_real_package_gives_the_counted_oddities(tmp_path: Path) -> None:
    report = ingest("complete-journey", None, str(tmp_path / "store"), tmp_path / "out")
    changed = {(done["table"], done["correction"]): done["changed"] for done in report["corrections"]}
    assert changed["events", "unknown_product"] == 4836
    assert changed["campaigns", "duplicate_coupon"] == 4872
    assert changed["users", "demographics_coverage"] == 2469 - 801
    assert changed["events", "zero_quantity"] == 49
    assert report["tables"]["events"] == 1_469_307 - 4836 - changed["events", "empty_line"]
    assert report["tables"]["items"] == 92_331
    events = pd.read_parquet(tmp_path / "out" / "events.parquet", columns=["timestamp", "value", "campaign_id"])
    assert str(events["timestamp"].dtype) == "datetime64[us, UTC]"
    assert events["value"].max() < 200
    assert events["campaign_id"].notna().sum() == 2102 - 263 - changed["events", "shared_redemption"]
    assert read_json(tmp_path / "out" / "shop.json")["window_days"] == 28
