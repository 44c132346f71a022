"""Every spoilt shop is refused with a message that names table, column, rows, first offender and remedy."""

import re
from pathlib import Path

import pandas as pd
import pytest
from shops import CORRUPTIONS

from components.common.errors import ConfigError, DataError, InputError
from components.ingest.run import ingest
from components.validate.run import validate

# name: (table, column, rows the message counts; None where it depends on the data)
EXPECTED: dict[str, tuple[str, str, int | None]] = {
    "items_zero_rows": ("items", "", 0),
    "events_zero_rows": ("events", "", 0),
    "items_missing_title": ("items", "title", 400),
    "events_missing_timestamp": ("events", "timestamp", 30627),
    "events_renamed_item_id": ("events", "item_id", 30627),
    "items_ids_and_titles_swapped": ("items", "item_id", None),
    "items_duplicate_id": ("items", "item_id", 2),
    "items_null_id": ("items", "item_id", 1),
    "events_null_user": ("events", "user_id", 1),
    "users_duplicate_id": ("users", "user_id", 2),
    "events_unknown_item": ("events", "item_id", 1),
    "events_unknown_kind": ("events", "event", 1),
    "events_future": ("events", "timestamp", 1),
    "events_unparsable_time": ("events", "timestamp", 1),
    "events_integer_time": ("events", "timestamp", 30627),
    "events_epoch_zero": ("events", "timestamp", 30627),
    "events_one_moment": ("events", "timestamp", None),
    "items_negative_price": ("items", "price", 1),
    "items_nan_price": ("items", "price", 1),
    "items_price_as_text": ("items", "price", 400),
    "items_price_x100": ("items", "price", 40),
    "events_infinite_value": ("events", "value", 1),
    "events_negative_price": ("events", "price", 1),
    "items_blank_title": ("items", "title", 1),
    "items_null_titles": ("items", "title", 400),
    "items_placeholder_titles": ("items", "title", 240),
    "items_broken_attributes": ("items", "attributes", 1),
    "events_loaded_twice": ("events", "timestamp", 30627),
    "events_bot_burst": ("events", "user_id", 5000),
    "events_unknown_campaign": ("events", "campaign_id", 1),
    "campaigns_end_before_start": ("campaigns", "ends_at", 709),
    "campaign_users_unknown_campaign": ("campaign_users", "campaign_id", 1),
    "events_truncated_file": ("events", "", 0),
    "items_garbled_file": ("items", "", 0),
    "items_csv_not_utf8": ("items", "", 0),
    "items_csv_ragged": ("items", "", 0),
}
DOCUMENTED = (
    "items_missing_title",
    "items_duplicate_id",
    "items_blank_title",
    "items_negative_price",
    "items_nan_price",
    "items_price_as_text",
    "events_unparsable_time",
    "events_zero_rows",
    "shop_yaml_typo",
)
DOCUMENT = Path(__file__).parents[3] / "docs" / "bring-your-own-data.md"
SETTINGS = ("items_in_two_files", "shop_yaml_typo")


def run(folder: Path, work: Path) -> None:
    ingest(str(folder), None, str(work / "store"), work / "tables")
    validate(work / "tables", work / "checked", work / "docs")


def test_the_unspoilt_shop_passes(small_shop: Path, tmp_path: Path) -> None:
    run(small_shop, tmp_path)
    assert (tmp_path / "checked" / "events.parquet").exists()


def test_every_corruption_is_expected_here_and_there_are_at_least_25() -> None:
    assert {*EXPECTED, *SETTINGS} == set(CORRUPTIONS)
    assert len(CORRUPTIONS) >= 25


@pytest.mark.parametrize("name", EXPECTED)
def test_spoilt_tables_are_refused(name: str, shop_copy: Path, tmp_path: Path) -> None:
    CORRUPTIONS[name](shop_copy)
    with pytest.raises(DataError) as caught:
        run(shop_copy, tmp_path)
    table, column, rows = EXPECTED[name]
    assert (caught.value.table, caught.value.column) == (table, column)
    assert rows is None or caught.value.rows == rows
    assert caught.value.exit_code == 2
    assert re.search(r"first: .+Expected .+\. [A-Z].+\.$", str(caught.value), re.DOTALL), str(caught.value)
    assert not (tmp_path / "checked").exists()
    assert_documented(name, str(caught.value))


def assert_documented(name: str, message: str) -> None:
    """The examples in the documentation are what a run really says."""
    if name in DOCUMENTED:
        assert message in DOCUMENT.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", SETTINGS)
def test_spoilt_settings_are_refused(name: str, shop_copy: Path, tmp_path: Path) -> None:
    CORRUPTIONS[name](shop_copy)
    with pytest.raises(ConfigError) as caught:
        run(shop_copy, tmp_path)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "tables").exists()
    assert_documented(name, str(caught.value).replace(str(shop_copy), "my-shop"))


def test_the_first_offender_is_named_by_row_and_value(shop_copy: Path, tmp_path: Path) -> None:
    CORRUPTIONS["events_unknown_item"](shop_copy)
    with pytest.raises(InputError, match=r"1 row — first: \"row 8: 'no-such-item'\". Expected"):
        run(shop_copy, tmp_path)


def test_a_user_is_named_by_row_and_pseudonym_only(shop_copy: Path, tmp_path: Path) -> None:
    users = pd.read_parquet(shop_copy / "users.parquet")
    CORRUPTIONS["users_duplicate_id"](shop_copy)
    with pytest.raises(InputError, match=r"row 1: '[0-9a-f]{32}' \(its pseudonym; see this row") as caught:
        run(shop_copy, tmp_path)
    assert repr(users["user_id"].iloc[0]) not in str(caught.value)


def test_items_are_reported_before_events(shop_copy: Path, tmp_path: Path) -> None:
    CORRUPTIONS["events_unknown_kind"](shop_copy)
    CORRUPTIONS["items_blank_title"](shop_copy)
    with pytest.raises(DataError, match="table 'items', column 'title'"):
        run(shop_copy, tmp_path)
