"""The shop's tables as data, and the structural check at the door (contents are checked by `validate`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.common import columns as c
from components.common.cells import EXPECTED, REMEDY, Kind, convert
from components.common.errors import DataError


@dataclass(frozen=True)
class Column:
    """One column: its kind, whether the table must have it and whether its cells may be empty."""

    name: str
    kind: Kind
    required: bool = False
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """One table; an open table keeps columns the contract does not name, as they are."""

    name: str
    columns: tuple[Column, ...]
    open: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in canonical order."""
        return tuple(column.name for column in self.columns)


def _key(name: str, kind: Kind = "id") -> Column:
    return Column(name, kind, required=True, nullable=False)


CONTRACT: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "items",
            (
                _key(c.ITEM_ID),
                _key(c.TITLE, "text"),
                *(Column(name, "text") for name in (c.DESCRIPTION, c.CATEGORY, c.BRAND)),
                Column(c.PRICE, "number", nullable=False),
                Column(c.AVAILABLE, "flag"),
                *(Column(name, "text") for name in (c.IMAGE, c.AUDIO, c.VIDEO)),
                Column(c.CREATED_AT, "time"),
                Column(c.ATTRIBUTES, "json"),
            ),
        ),
        Table(
            "events",
            (
                _key(c.USER_ID),
                Column(c.ITEM_ID, "id", required=True),
                _key(c.EVENT, "text"),
                _key(c.TIMESTAMP, "time"),
                Column(c.VALUE, "number"),
                Column(c.PRICE, "number", nullable=False),
                Column(c.QUERY, "text"),
                Column(c.CAMPAIGN_ID, "id"),
                Column(c.SESSION_ID, "id"),
                Column(c.TEXT, "text"),
            ),
        ),
        Table("users", (_key(c.USER_ID),), open=True),
        Table(
            "campaigns",
            (
                *(_key(name) for name in (c.CAMPAIGN_ID, c.ITEM_ID)),
                *(_key(name, "time") for name in (c.STARTS_AT, c.ENDS_AT)),
                Column(c.KIND, "text"),
                *(Column(name, "number") for name in (c.DISCOUNT, c.BID)),
            ),
        ),
        Table("campaign_users", tuple(_key(name) for name in (c.CAMPAIGN_ID, c.USER_ID))),
        Table("relations", (_key(c.ITEM_ID), _key(c.RELATED_ID), _key(c.KIND, "text"))),
        Table("judgements", (_key(c.QUERY, "text"), _key(c.ITEM_ID), _key(c.GRADE, "number"))),
        Table(
            "impressions",
            (
                _key("request_id"),
                _key(c.TIMESTAMP, "time"),
                _key(c.USER_ID),
                _key("scenario", "text"),
                _key(c.ITEM_ID),
                _key("position", "number"),
                _key("propensity", "number"),
                Column("outcome", "text"),
            ),
            open=True,  # the members' scores and the weights as served
        ),
    )
}


def read_table(path: Path) -> pd.DataFrame:
    """Read a Parquet or CSV file unchecked; CSV cells stay text (ids keep their zeros), an empty cell is null.

    Raises:
        DataError: the file is damaged, truncated or not what its name says.
    """
    try:
        return _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        kind = (
            "a UTF-8 CSV file, one header line and commas between fields"
            if path.suffix == ".csv"
            else "a complete Parquet file"
        )
        remedy = "Write the file again; it is damaged, cut off or of another format."
        raise DataError(path.stem, "", 0, f"{path.name}: {str(error).strip()[:200]}", kind, remedy) from error


def _read_parquet(path: Path) -> pd.DataFrame:
    with path.open("rb") as handle:
        table = pq.read_table(handle)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, integer_object_nulls=True, date_as_object=False)
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    as_text: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}
    frame: pd.DataFrame = pd.read_csv(path, **as_text)
    if not isinstance(frame.index, pd.RangeIndex):
        raise pd.errors.ParserError("rows have more fields than the header")
    header = pd.read_csv(path, header=None, nrows=1, **as_text).iloc[0]
    frame.columns = pd.Index(header.where(header.notna(), frame.columns.to_series().to_numpy()))  # as they are written
    return frame


def canonical(table: str, frame_unchecked: pd.DataFrame, text: bool = False) -> pd.DataFrame:
    """Give *frame_unchecked* the contract's columns and types; columns the contract does not name are left out.

    Args:
        table: a name in `CONTRACT`.
        frame_unchecked: rows as read.
        text: the cells come from a CSV, so numbers and flags are parsed from text.

    Returns:
        The contract's columns that are present, in its order: ids and texts `object` (str or None), numbers
        float64, flags `boolean`, times datetime64[us, UTC]; an open table's other columns follow unchanged.

    Raises:
        DataError: a required column is missing, named twice, or a cell has the wrong type.
    """
    contract = CONTRACT[table]
    _require_columns(contract, frame_unchecked)
    frame_unchecked = frame_unchecked.reset_index(drop=True)
    present = [column for column in contract.columns if column.name in frame_unchecked]
    checked = {column.name: _convert(table, column, frame_unchecked[column.name], text) for column in present}
    if contract.open:
        checked |= {name: frame_unchecked[name] for name in unknown_columns(table, frame_unchecked)}
    return pd.DataFrame(checked)


def unknown_columns(table: str, frame: pd.DataFrame) -> list[str]:
    """Columns of *frame* that the contract does not name."""
    return [str(name) for name in frame.columns if name not in CONTRACT[table].names]


def row_text(position: int, value: object) -> str:
    """How a message names one row: counted from 1, the header not counted."""
    plain = value.item() if isinstance(value, np.generic) else value
    return f"row {position + 1}: {plain!r:.200}"


def _require_columns(contract: Table, frame: pd.DataFrame) -> None:
    found = [str(name) for name in frame.columns]
    for column in contract.columns:
        if column.required and column.name not in found:
            required = ", ".join(known.name for known in contract.columns if known.required)
            raise DataError(
                contract.name,
                column.name,
                len(frame),
                f"columns {found}",
                f"at least {required}",
                f"Add or rename the column '{column.name}'.",
            )
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise DataError(contract.name, twice, len(frame), f"columns {found}", "each name once", "Rename one of them.")


def _convert(table: str, column: Column, cells: pd.Series, text: bool) -> pd.Series:
    """Convert one column, or name the first cell that cannot be."""
    converted, bad = convert(cells, column.kind, text)
    if bad.any():
        first = int(np.argmax(bad))
        cell = cells.iloc[first]
        offender = row_text(first, type(cell).__name__ if column.name == c.USER_ID else cell)  # ids stay out of logs
        raise DataError(table, column.name, int(bad.sum()), offender, EXPECTED[column.kind], REMEDY[column.kind])
    return converted
