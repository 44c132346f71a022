"""Tables are read without surprises, and a structural breach is named with its row."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.common import columns as c
from components.common.errors import DataError
from components.common.tables import CONTRACT, canonical, read_table, unknown_columns


def items(**cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"item_id": ["1", "2"], "title": ["Milk", "Bread"], **cells})


def test_the_contract_covers_every_table_of_the_vocabulary() -> None:
    assert set(CONTRACT) == set(c.TABLES)


def test_csv_ids_keep_their_zeros_and_an_empty_cell_is_null(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("\ufeffitem_id,title,brand,price,available\n007,NA,,1.50,true\n7,Milk,Arla,2,0\n", encoding="utf-8")
    frame = canonical("items", read_table(path), text=True)
    assert frame["item_id"].tolist() == ["007", "7"]
    assert frame["title"].tolist() == ["NA", "Milk"]
    assert frame["brand"].tolist() == [None, "Arla"]
    assert frame["price"].tolist() == [1.5, 2.0]
    assert frame["available"].tolist() == [True, False]


def test_integer_ids_in_parquet_become_text_exactly_even_beside_nulls(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    big = 2**53 + 1
    pq.write_table(pa.table({"item_id": pa.array([big, None, 7]), "title": ["a", "b", "c"]}), path)
    assert canonical("items", read_table(path))["item_id"].tolist() == [str(big), None, "7"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_zone_and_unit_become_utc_microseconds(unit: Literal["s", "ms", "us", "ns"]) -> None:
    local = pd.Series(pd.to_datetime(["2025-03-31T18:04:05"])).dt.tz_localize("Asia/Shanghai").dt.as_unit(unit)
    frame = canonical("items", items(created_at=[local[0]] * 2))
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"
    assert frame["created_at"][0] == pd.Timestamp("2025-03-31T10:04:05Z")


def test_iso_text_and_naive_times_are_utc() -> None:
    frame = canonical("items", items(created_at=["2025-03-31T12:00:00+02:00", "2025-03-31"]))
    assert frame["created_at"].tolist() == [pd.Timestamp("2025-03-31T10:00:00Z"), pd.Timestamp("2025-03-31T00:00:00Z")]


@pytest.mark.parametrize(
    ("column", "cells", "offender"),
    [
        ("created_at", ["2025-03-31", "31.3.2025"], "row 2: '31.3.2025'"),
        ("created_at", [1743379200, 1743379200], "row 1: 1743379200"),
        ("created_at", ["2025-03-31", "1743379200"], "row 2: '1743379200'"),
        ("price", ["1.5", "2"], "row 1: '1.5'"),
        ("price", [True, False], "row 1: True"),
        ("available", [1, 0], "row 1: 1"),
        ("title", ["Milk", 3], "row 2: 3"),
        ("item_id", [1.5, 2.0], "row 1: 1.5"),
        ("item_id", [True, False], "row 1: True"),
        ("brand", [b"a", b"b"], "row 1: b'a'"),
        ("attributes", [{"a": 1}, {"a": 2}], "row 1: {'a': 1}"),
    ],
)
def test_a_wrong_type_names_its_first_row(column: str, cells: list[Any], offender: str) -> None:
    with pytest.raises(DataError) as caught:
        canonical("items", items().assign(**{column: pd.Series(cells)}))
    assert (caught.value.table, caught.value.column, caught.value.offender) == ("items", column, offender)


def test_a_user_id_of_the_wrong_type_is_not_quoted() -> None:
    with pytest.raises(DataError, match="first: \"row 1: 'bytes'\"") as caught:
        canonical("users", pd.DataFrame({"user_id": [b"jane@example.org"]}))
    assert "jane" not in str(caught.value)


def test_a_csv_price_that_is_no_number_is_refused_but_nan_is_left_to_validation() -> None:
    assert canonical("items", items(price=["NaN", "1"]), text=True)["price"].isna().tolist() == [True, False]
    with pytest.raises(DataError, match="row 2: '1,50'"):
        canonical("items", items(price=["1", "1,50"]), text=True)


def test_a_missing_required_column_is_named() -> None:
    with pytest.raises(DataError, match=r"table 'events', column 'timestamp'.*Add or rename the column 'timestamp'"):
        canonical("events", pd.DataFrame({"user_id": ["a"], "item_id": ["b"], "event": ["view"]}))


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"column 'title'.*each name once"):
        canonical("items", pd.DataFrame([["1", "a", "b"]], columns=["item_id", "title", "title"]))


def test_a_csv_column_named_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title,title,\n1,a,b,c\n", encoding="utf-8-sig")
    frame = read_table(tmp_path / "items.csv")
    assert list(frame.columns) == ["item_id", "title", "title", "Unnamed: 3"]
    with pytest.raises(DataError, match=r"column 'title'.*each name once"):
        canonical("items", frame, text=True)


def test_a_long_cell_does_not_flood_the_message() -> None:
    with pytest.raises(DataError) as caught:
        canonical("items", items(price=["9" * 100_000 + "x", "1"]), text=True)
    assert len(str(caught.value)) < 500


def test_columns_outside_the_contract_are_left_out_except_in_open_tables() -> None:
    assert unknown_columns("items", items(colour=["red", "blue"])) == ["colour"]
    assert list(canonical("items", items(colour=["red", "blue"]))) == ["item_id", "title"]
    assert list(canonical("users", pd.DataFrame({"age": [3], "user_id": [1]}))) == ["user_id", "age"]


def test_reading_back_what_was_written_changes_nothing(tmp_path: Path) -> None:
    first = canonical("items", items(price=[1.0, 2.0], available=[True, None], created_at=["2025-03-31", None]))
    first.to_parquet(tmp_path / "items.parquet", index=False)
    pd.testing.assert_frame_equal(canonical("items", read_table(tmp_path / "items.parquet")), first)


@pytest.mark.parametrize(("name", "content"), [("items.parquet", b""), ("items.parquet", b"PAR1"), ("items.csv", b"")])
def test_an_empty_or_damaged_file_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"table 'items'.*Write the file again"):
        read_table(tmp_path / name)


def test_every_truncation_of_a_parquet_file_is_refused(small_shop: Path, tmp_path: Path) -> None:
    content = (small_shop / "items.parquet").read_bytes()
    path = tmp_path / "items.parquet"
    for length in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read_table(path)
