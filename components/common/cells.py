"""The kinds of cell a table may hold, and how a column of each kind is read."""

from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal["id", "text", "number", "flag", "time", "json"]
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
EXPECTED = {
    "id": "text or whole numbers",
    "text": "text",
    "json": "text that holds a JSON object",
    "number": "numbers",
    "flag": "true or false",
    "time": "timestamps (UTC) or ISO 8601 text such as 2025-03-31T18:04:00Z",
}
REMEDY = {
    "id": "Write the ids as text or whole numbers.",
    "text": "Write the column as text.",
    "json": 'Write each cell as JSON text, for example {"colour": "red"}.',
    "number": "Write plain numbers: no currency signs, no thousands separators, a point before decimals.",
    "flag": "Write true or false.",
    "time": "Write ISO 8601 times; bare integers are refused, because their unit is unknown.",
}


def convert(cells: pd.Series, kind: Kind, text: bool) -> tuple[pd.Series, Any]:
    """Read *cells* as *kind*.

    Args:
        cells: one column, index 0..n-1; null where the cell is empty.
        kind: what the contract says the column holds.
        text: the cells come from a CSV, so numbers and flags are parsed from text.

    Returns:
        The converted column and a boolean array: True where a filled cell could not be read as *kind*.
    """
    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(object)
    converted = _READERS[kind](cells, text)
    bad = (cells.notna() & converted.isna()).to_numpy(dtype=bool)
    if kind == "number":
        bad &= ~_spelt_nan(cells)
    return converted, bad


def _spelt_nan(cells: pd.Series) -> Any:
    """Cells that say NaN in letters: a number, though not a finite one; `validate` refuses it by content."""
    if cells.dtype != object:
        return np.zeros(len(cells), dtype=bool)
    return (cells.astype(str).str.strip().str.lower() == "nan").to_numpy()


def _each(cells: pd.Series, convert: Any) -> pd.Series:
    """Apply *convert* to the distinct cells only."""
    codes, distinct = pd.factorize(cells, use_na_sentinel=True)
    values = np.array([*(convert(value) for value in distinct), None], dtype=object)
    return pd.Series(values[codes], index=cells.index, dtype=object)


def _to_text(cells: pd.Series, _text: bool) -> pd.Series:
    if cells.isna().all():
        return pd.Series([None] * len(cells), dtype=object)
    if pd.api.types.infer_dtype(cells, skipna=True) == "string":
        filled = cells.astype(object)
        filled[cells.isna()] = None
        return filled
    return cells.map(lambda value: value if isinstance(value, str) else None).astype(object)


def _to_id(cells: pd.Series, text: bool) -> pd.Series:
    if pd.api.types.infer_dtype(cells, skipna=True) in ("integer", "floating", "mixed-integer", "integer-na"):
        return _each(cells, _id_of)
    return _to_text(cells, text)


def _id_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    whole = not isinstance(value, bool) and float(value).is_integer()
    return str(int(value)) if whole else None


def _to_number(cells: pd.Series, text: bool) -> pd.Series:
    kind = pd.api.types.infer_dtype(cells, skipna=True)
    if kind in ("string", "boolean") and not (text and kind == "string"):
        return pd.Series(np.nan, index=cells.index)
    return pd.to_numeric(cells, errors="coerce").astype("float64")


def _to_flag(cells: pd.Series, text: bool) -> pd.Series:
    if text:
        return cells.map(lambda cell: FLAGS.get(str(cell).strip().lower(), pd.NA)).astype("boolean")
    return cells.map(lambda cell: cell if isinstance(cell, (bool, np.bool_)) else pd.NA).astype("boolean")


def _to_time(cells: pd.Series, _text: bool) -> pd.Series:
    if pd.api.types.is_numeric_dtype(cells) and not cells.isna().all():
        return pd.Series(pd.NaT, index=cells.index, dtype="datetime64[us, UTC]")
    if pd.api.types.is_datetime64_any_dtype(cells):
        times = pd.to_datetime(cells, utc=True)
    else:
        spelt = cells.map(lambda cell: cell if not isinstance(cell, (int, float)) and not str(cell).isdigit() else None)
        times = pd.to_datetime(spelt, utc=True, format="ISO8601", errors="coerce")
    return times.astype("datetime64[us, UTC]")


_READERS = {
    "id": _to_id,
    "text": _to_text,
    "json": _to_text,
    "number": _to_number,
    "flag": _to_flag,
    "time": _to_time,
}
