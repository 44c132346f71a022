"""From the shop's tables to coded ones: the catalogue, the users, and events by row numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.errors import DataError
from components.common.prepared import REVIEW_COLUMNS
from serving.arrays import Bools

TEXTS = (c.DESCRIPTION, c.CATEGORY, c.BRAND, c.IMAGE, c.AUDIO, c.VIDEO)
ITEM_COLUMNS = (
    *(c.ITEM_ID, c.TITLE, c.DESCRIPTION, c.CATEGORY, c.BRAND),
    *(c.PRICE, c.PRICE_NORM, c.AVAILABLE, c.IMAGE, c.AUDIO, c.VIDEO, c.CREATED_AT, c.ATTRIBUTES),
)
SPOKEN = ("rating", "review")  # events whose text is an opinion
NO_EVENTS = (c.USER_ID, c.ITEM_ID, c.EVENT, c.TIMESTAMP)


def read_events(path: Path) -> pd.DataFrame:
    """The events table with its optional columns present and times as µs UTC; no rows where there is no file."""
    events = pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=list(NO_EVENTS))
    for column in (c.VALUE, c.PRICE):
        events[column] = pd.to_numeric(events[column]).astype("float64") if column in events else np.nan
    if c.QUERY not in events:
        events[c.QUERY] = None
    events[c.TIMESTAMP] = pd.to_datetime(events[c.TIMESTAMP], utc=True).astype("datetime64[us, UTC]")
    return events


def item_table(items: pd.DataFrame) -> pd.DataFrame:
    """Every column of the catalogue, in the order of the items table; what the shop left out has its neutral value."""
    table = items.reset_index(drop=True).copy()
    for column in TEXTS:
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    table[c.ITEM_ID], table[c.TITLE] = table[c.ITEM_ID].astype(str), table[c.TITLE].astype(str)
    table[c.PRICE] = pd.to_numeric(table[c.PRICE]).astype("float64") if c.PRICE in table else np.nan
    table[c.PRICE_NORM] = np.zeros(len(table), np.float32)
    known = table[c.AVAILABLE] if c.AVAILABLE in table else pd.Series(True, index=table.index)
    table[c.AVAILABLE] = known.astype("boolean").fillna(True).astype(bool)
    created = table[c.CREATED_AT] if c.CREATED_AT in table else pd.Series(None, index=table.index, dtype=object)
    table[c.CREATED_AT] = pd.to_datetime(created, utc=True).astype("datetime64[us, UTC]")
    given = table[c.ATTRIBUTES] if c.ATTRIBUTES in table else pd.Series(None, index=table.index, dtype=object)
    table[c.ATTRIBUTES] = [_json_object(value) for value in given]
    return table[list(ITEM_COLUMNS)]


def user_table(events: pd.DataFrame, users: pd.DataFrame | None) -> pd.DataFrame:
    """All users with their profile as one JSON object, in the order in which events, then the users table, name them.

    That order does not depend on the key of the pseudonyms, so neither do seeded choices and what is learned.
    """
    profiles = _profiles(users) if users is not None else {}
    ordered = list(dict.fromkeys([*events[c.USER_ID].unique().tolist(), *profiles]))
    return pd.DataFrame(
        {
            c.USER_ID: pd.Series(ordered, dtype=object),
            c.PROFILE: pd.Series([profiles.get(user, "{}") for user in ordered], dtype=object),
        }
    )


def code(values: pd.Series, known: pd.Series, column: str) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Row numbers in *known* of *values* (n,).

    Raises:
        DataError: an id that *known* does not hold.
    """
    distinct, names = pd.factorize(values)
    rows = pd.Index(known).get_indexer(pd.Index(names))
    if (rows < 0).any():
        lost = rows[distinct] < 0
        raise DataError(
            "events", column, int(lost.sum()), values[lost].iloc[0], f"ids of the {column[:-3]}s table",
            "Run ingest and validate on the folder first.",
        )  # fmt: skip
    return np.asarray(rows[distinct], dtype=np.int32)


def review_table(events: pd.DataFrame) -> pd.DataFrame | None:
    """REVIEW_COLUMNS of the coded ratings and reviews that hold a text; None where none does."""
    if c.TEXT not in events:
        return None
    written = events[events[c.EVENT].isin(SPOKEN)]
    written = written[written[c.TEXT].fillna("").astype(str).str.strip() != ""]
    return written[list(REVIEW_COLUMNS)].reset_index(drop=True) if len(written) else None


def keep_items(items: pd.DataFrame, events: pd.DataFrame, kept: Bools) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reduce the catalogue to *kept* (n_items,) and events to those items, with new row numbers."""
    if kept.all():
        return items, events
    number = np.cumsum(kept, dtype=np.int32) - 1
    inside = kept[events[c.ITEM]]
    events = events[inside].assign(**{c.ITEM: number[events[c.ITEM][inside]].astype(np.int32)})
    return items[kept].reset_index(drop=True), events


def _profiles(users: pd.DataFrame) -> dict[str, str]:
    names = [name for name in users.columns if name != c.USER_ID]
    rows = users[names].astype(object).to_dict("records")
    texts = ({str(name): _plain(value) for name, value in row.items() if _known(value)} for row in rows)
    return {
        str(user): json.dumps(text, sort_keys=True, ensure_ascii=False)
        for user, text in zip(users[c.USER_ID], texts, strict=True)
    }


def _known(value: Any) -> bool:
    """Is there a value that JSON can hold: not null, NaN or infinite."""
    if isinstance(value, float | np.floating):
        return bool(np.isfinite(value))
    return not pd.api.types.is_scalar(value) or not pd.isna(value)


def _plain(value: Any) -> Any:
    """A JSON value: numbers and truth as they are, all else as text."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str) else str(value)


def _json_object(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value if isinstance(value, str) and value.strip() else "{}"
