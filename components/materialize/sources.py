"""The Parquet files that Feast reads: snapshots of users and items, each with the moment it was true."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.common import columns as c
from components.common import services
from components.common.files import read_json
from components.common.moments import DAY, microseconds
from components.common.prepared import Prepared
from components.materialize.behaviour import MICROSECONDS, behaviour
from serving.arrays import Floats, Longs

SOURCES_FOLDER = "sources"
RECENT = 28 * DAY
MEDIA_VIEWS = {
    c.IMAGE: services.ITEM_IMAGE_EMBEDDING,
    c.AUDIO: services.ITEM_AUDIO_EMBEDDING,
    c.VIDEO: services.ITEM_VIDEO_EMBEDDING,
}
ATTRIBUTE_COLUMNS = (c.TITLE, c.CATEGORY, c.BRAND, c.PRICE, c.PRICE_NORM, c.AVAILABLE, c.ATTRIBUTES)


def write_sources(prepared: Prepared, embeddings: Path | None, out: Path) -> None:
    """Write one Parquet file per feature view to the folder *out*, named as the view."""
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        services.USER_BEHAVIOUR: user_behaviour(prepared),
        services.USER_PROFILE: user_profile(prepared),
        services.ITEM_ATTRIBUTES: item_attributes(prepared),
        services.ITEM_STATISTICS: item_statistics(prepared),
        services.ITEM_TEXT_EMBEDDING: item_text_embedding(prepared, embeddings),
    }
    tables |= {view: item_media_embedding(prepared, embeddings, kind) for kind, view in MEDIA_VIEWS.items()}
    for name, table in tables.items():
        pq.write_table(table, out / f"{name}.parquet")


def user_behaviour(prepared: Prepared) -> pa.Table:
    """A snapshot per user and cut, and the last one of all events; each stands at the user's last event in it.

    A user without news between two cuts has one row for both: the times are unique per user.
    """
    histories = [prepared.history(cut) for cut in prepared.split.cuts] + [prepared.events]
    ids = prepared.users[c.USER_ID], prepared.items[c.ITEM_ID]
    table = pa.concat_tables(behaviour(history, *ids, prepared.shop.event_weights) for history in histories)
    keys = table.select([c.USER_ID, c.EVENT_TIMESTAMP]).to_pandas()
    return table.filter(pa.array(~keys.duplicated().to_numpy()))


def user_profile(prepared: Prepared) -> pa.Table:
    """What the users table says, from the first event on."""
    return _always(prepared, pa.Table.from_pandas(prepared.users[[c.USER_ID, c.PROFILE]], preserve_index=False))


def item_attributes(prepared: Prepared) -> pa.Table:
    """The catalogue's own columns."""
    items = prepared.items[[c.ITEM_ID, *ATTRIBUTE_COLUMNS]].astype({c.PRICE: "float32"})
    return _always(prepared, pa.Table.from_pandas(items, preserve_index=False))


def item_statistics(prepared: Prepared) -> pa.Table:
    """How items sold before each window, and by the last event; leave-one-out has only the latter."""
    moments = [cut.as_of - 1 for cut in prepared.split.cuts if cut.as_of is not None]
    return pa.concat_tables(_statistics(prepared, moment) for moment in [*moments, prepared.split.last_event])


def item_text_embedding(prepared: Prepared, embeddings: Path | None) -> pa.Table:
    """The vectors of encode's text.npy; empty ones where there is no encoder."""
    n_items = len(prepared.items)
    vectors, encoder = np.empty((n_items, 0), np.float32), ""
    if embeddings is not None and (embeddings / "text.npy").exists():
        vectors = np.load(embeddings / "text.npy", allow_pickle=False).astype(np.float32)
        spec = read_json(embeddings / "encoder" / "encoder.json")
        encoder = f"{spec.get('name', '')} {spec.get('version', '')}".strip()
    return _always(prepared, _embedding(prepared.items[c.ITEM_ID], np.arange(n_items), vectors, encoder))


def item_media_embedding(prepared: Prepared, embeddings: Path | None, kind: str) -> pa.Table:
    """The vectors of encode's <kind>.npy, of the items that have a usable file: the others have no row."""
    path = None if embeddings is None else embeddings / f"{kind}.npy"
    vectors, encoder = np.empty((0, 0), np.float32), ""
    if path is not None and path.exists():
        vectors = np.load(path, allow_pickle=False)
        encoder = str(read_json(path.with_name("media.json"))[kind]["encoder"])
    known = np.flatnonzero(~np.isnan(vectors).any(axis=1)) if len(vectors) else np.empty(0, np.int64)
    return _always(prepared, _embedding(prepared.items[c.ITEM_ID], known, vectors[known], encoder))


def _embedding(ids: pd.Series, rows: Longs, vectors: Floats, encoder: str) -> pa.Table:
    """item_id, embedding and encoder of the items *rows* (n,), whose vectors are (n, d)."""
    offsets = pa.array(np.arange(len(rows) + 1) * vectors.shape[1], pa.int32())
    return pa.table(
        {
            c.ITEM_ID: pa.array(ids.iloc[rows], pa.string()),
            c.EMBEDDING: pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel(), pa.float32())),
            "encoder": pa.array([encoder] * len(rows), pa.string()),
        }
    )


def _statistics(prepared: Prepared, moment: int) -> pa.Table:
    """Statistics of every item over the events up to *moment* (µs)."""
    events, n_items = prepared.events, len(prepared.items)
    times = microseconds(events[c.TIMESTAMP])
    events, times = events[times <= moment], times[times <= moment]
    items = events[c.ITEM].to_numpy()
    buyers = events.groupby(c.ITEM)[c.USER].nunique().reindex(range(n_items), fill_value=0)
    prices = events.groupby(c.ITEM)[c.PRICE].mean().reindex(range(n_items))
    table = pa.table(
        {
            c.ITEM_ID: pa.array(prepared.items[c.ITEM_ID], pa.string()),
            "buyers": pa.array(buyers.to_numpy(), pa.int64()),
            "item_events": pa.array(np.bincount(items, minlength=n_items), pa.int64()),
            "events_28d": pa.array(np.bincount(items[times > moment - RECENT], minlength=n_items), pa.int64()),
            "mean_price": pa.array(prices.to_numpy(), pa.float32(), from_pandas=True),
        }
    )
    return _stamped(table, moment)


def _always(prepared: Prepared, table: pa.Table) -> pa.Table:
    """*table* as known since the first event, and again at the last: a later run's values replace an earlier's."""
    first = prepared.events[c.TIMESTAMP].min()
    last = prepared.split.last_event
    moments = {last} if pd.isna(first) else {int(first.value) // 1000, last}
    return pa.concat_tables(_stamped(table, moment) for moment in sorted(moments))


def _stamped(table: pa.Table, moment: int) -> pa.Table:
    stamps = pa.array(np.full(len(table), moment, np.int64)).cast(MICROSECONDS)
    return table.append_column(c.EVENT_TIMESTAMP, stamps)
