"""Suites agree with the contract, every row is looked at, and the Data Docs are written whatever the verdict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from shops import CORRUPTIONS

from components.common.config import ShopConfig
from components.common.errors import DataError
from components.common.files import read_json
from components.common.tables import CONTRACT, canonical
from components.ingest.run import ingest
from components.validate.evidence import with_evidence
from components.validate.run import validate
from components.validate.suites import ORDER, load_suite

NOW = pd.Timestamp("2025-06-01", tz="UTC")


@pytest.fixture(scope="module")
def ingested(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("ingested")
    ingest(str(small_shop), None, str(work / "store"), work / "tables")
    return work / "tables"


@pytest.mark.parametrize("table", ORDER)
def test_every_column_that_may_not_be_null_is_expected_not_to_be(table: str) -> None:
    suite = load_suite(table)
    guarded = {each["kwargs"]["column"] for each in suite if each["type"] == "expect_column_values_to_not_be_null"}
    assert guarded == {column.name for column in CONTRACT[table].columns if not column.nullable}
    assert suite[0]["type"] == "expect_table_row_count_to_be_between"
    assert all(each["meta"]["remedy"].endswith(".") for each in suite)


def test_the_documentation_names_every_table_column_and_setting() -> None:
    text = (Path(__file__).parents[3] / "docs" / "bring-your-own-data.md").read_text(encoding="utf-8")
    for table in CONTRACT.values():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{table.name}` |"))
        for column in table.columns:
            assert (f"**{column.name}**" in line) == column.required, (table.name, column.name)
            assert column.name in line, (table.name, column.name)
    assert all(f"| `{field}` |" in text for field in ShopConfig.model_fields)


def test_the_small_shop_passes_and_is_copied_with_its_docs(ingested: Path, tmp_path: Path) -> None:
    summary = validate(ingested, tmp_path / "checked", tmp_path / "docs", tmp_path / "page.html")
    assert summary["passed"]
    assert {path.name for path in (tmp_path / "checked").iterdir()} == {
        *(path.name for path in ingested.iterdir()),
        "validation.json",
    }
    assert read_json(tmp_path / "checked" / "validation.json") == summary
    assert "items" in (tmp_path / "docs" / "index.html").read_text(encoding="utf-8")
    assert len(list((tmp_path / "docs" / "validations").rglob("*.html"))) == 5
    assert "All tables passed." in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_refused_shop_has_its_docs_but_no_checked_tables(shop_copy: Path, tmp_path: Path) -> None:
    CORRUPTIONS["events_bot_burst"](shop_copy)
    ingest(str(shop_copy), None, str(tmp_path / "store"), tmp_path / "tables")
    with pytest.raises(DataError):
        validate(tmp_path / "tables", tmp_path / "checked", tmp_path / "docs", tmp_path / "page.html")
    assert (tmp_path / "docs" / "index.html").exists()
    assert "no user with more than 5%" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not (tmp_path / "checked").exists()


def test_shop_yaml_may_ask_for_more_rows(ingested: Path, tmp_path: Path) -> None:
    settings = read_json(ingested / "shop.json")
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "items.parquet").write_bytes((ingested / "items.parquet").read_bytes())
    (tables / "shop.json").write_text(json.dumps({**settings, "minimum_rows": {"items": 401}}), encoding="utf-8")
    with pytest.raises(DataError, match=r"table 'items'.*'400 rows'.*at least 401 row"):
        validate(tables, tmp_path / "checked", tmp_path / "docs")


def test_a_fault_in_the_very_last_row_is_found(ingested: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    for path in ingested.iterdir():
        (tables / path.name).write_bytes(path.read_bytes())
    events = pd.read_parquet(tables / "events.parquet")
    events.loc[len(events) - 1, "event"] = "bought"
    events.to_parquet(tables / "events.parquet", index=False)
    with pytest.raises(DataError, match=rf"row {len(events)}: 'bought'"):
        validate(tables, tmp_path / "checked", tmp_path / "docs")


def small(**rows: Any) -> dict[str, pd.DataFrame]:
    items = pd.DataFrame({"item_id": ["1", "2"], "title": ["a", "b"], "price": [2.0, 4.0]})
    return {"items": canonical("items", items)} | {name: canonical(name, frame) for name, frame in rows.items()}


def test_a_search_may_lack_an_item_and_nothing_else_may() -> None:
    events = pd.DataFrame(
        {
            "user_id": ["u"] * 3,
            "item_id": [None, None, "9"],
            "event": ["search", "view", "view"],
            "timestamp": ["2025-01-01", "2025-06-01T00:00:00Z", "2025-06-01T00:00:01Z"],
        }
    )
    frame = with_evidence("events", small(events=events), NOW)
    assert frame["item_named"].tolist() == [True, False, True]
    assert frame["item_known"].tolist() == [True, True, False]
    assert frame["not_future"].tolist() == [True, True, False]
    assert "campaign_known" not in frame


def test_events_of_one_user_in_one_hour_are_counted() -> None:
    times = pd.to_datetime(["2025-01-01T10:00", "2025-01-01T10:59", "2025-01-01T11:00", "2025-01-01T10:30"])
    events = pd.DataFrame({"user_id": ["u", "u", "u", "v"], "item_id": "1", "event": "view", "timestamp": times})
    frame = with_evidence("events", small(events=events), NOW)
    assert frame["user_hour"].tolist() == [2, 2, 1, 1]
    assert frame["user_share"].tolist() == [0, 0, 0, 0]  # too few users to judge
    many = pd.concat([events.assign(user_id=f"u{n}") for n in range(100)])
    shares = with_evidence("events", small(events=many), NOW)["user_share"]
    np.testing.assert_allclose(shares, 0.01)


def test_prices_of_items_and_events_are_compared_by_item() -> None:
    events = pd.DataFrame(
        {
            "user_id": "u",
            "item_id": ["1", "1", "1"],
            "event": "purchase",
            "timestamp": "2025-01-01",
            "price": [1.0, 4.0, 0.0],
        }
    )
    frame = with_evidence("items", small(events=events), NOW)
    assert frame["price_agreement"].tolist()[0] == pytest.approx(2.0 / 2.5)
    assert np.isnan(frame["price_agreement"].tolist()[1])
    assert frame["price_of_median"].tolist() == pytest.approx([2 / 3, 4 / 3])


def table(name: str, **cells: Any) -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(cells)}


@pytest.mark.parametrize(
    ("tables", "column"),
    [
        (table("relations", item_id=["1"], related_id=["9"], kind=["complement"]), "related_id"),
        (table("relations", item_id=["1"], related_id=["1"], kind=["complement"]), "related_id"),
        (table("relations", item_id=["1"], related_id=["2"], kind=["friend"]), "kind"),
        (table("judgements", query=["a"], item_id=["1"], grade=[4]), "grade"),
        (table("judgements", query=["a", "a"], item_id=["1", "1"], grade=[1, 2]), "item_id"),
        (table("judgements", query=[" "], item_id=["1"], grade=[1]), "query"),
        (
            table(
                "impressions", request_id=["r"], timestamp=["2020-01-01"], user_id=["u"], scenario=["recommend"],
                item_id=["1"], position=[1], propensity=[0.0], score_als=[0.5],
            ),
            "propensity",
        ),
        (
            table(
                "campaigns", campaign_id=["c"], item_id=["1"], starts_at=["2020-01-01"], ends_at=["2020-02-01"],
                kind=["gift"],
            ),
            "kind",
        ),
    ],
)  # fmt: skip
def test_breaches_of_the_smaller_tables(tables: dict[str, pd.DataFrame], column: str, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    for name, frame in {**small(), **tables}.items():
        frame.to_parquet(shop / f"{name}.parquet", index=False)
    ingest(str(shop), None, str(tmp_path / "store"), tmp_path / "tables")
    with pytest.raises(DataError) as caught:
        validate(tmp_path / "tables", tmp_path / "checked", tmp_path / "docs")
    assert (caught.value.table, caught.value.column) == (next(iter(tables)), column)
