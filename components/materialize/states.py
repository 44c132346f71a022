"""Ask Feast what was known of each user at the moment a cut asks its question."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from components.common import columns as c
from components.common.errors import CuveeError
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared
from components.common.services import USER_SERVICE
from components.materialize.behaviour import BEHAVIOUR, MICROSECONDS
from serving.user_rows import LISTS

if TYPE_CHECKING:
    from feast import FeatureStore

STATES = pa.schema(
    [*(BEHAVIOUR.field(name) for name in (c.USER_ID, c.EVENT_TIMESTAMP, *LISTS)), (c.PROFILE, pa.string())]
)


def questions(prepared: Prepared, cut: Cut) -> pd.DataFrame:
    """Who is asked about in *cut*, and when: user_id and event_timestamp (µs), by user code.

    In a temporal cut all are asked at its start; in leave-one-out each user 1 µs before the event held out.
    """
    target = prepared.target(cut)
    moments = pd.Series(microseconds(target[c.TIMESTAMP]) - 1)
    first = moments.groupby(target[c.USER].to_numpy()).min()
    asked = pd.DataFrame({c.USER_ID: prepared.users[c.USER_ID].to_numpy()[first.index]})
    asked[c.EVENT_TIMESTAMP] = first.to_numpy() if cut.as_of is None else np.int64(cut.as_of)
    return asked


def historical(feast: "FeatureStore", asked: pd.DataFrame, before: bool) -> pa.Table:
    """Point-in-time rows (STATES) for *asked*, in its order; empty lists where nothing was known.

    Args:
        feast: a store with the sources applied.
        asked: user_id and event_timestamp (µs).
        before: leave out what stands exactly at the moment asked (a window's start belongs to the window).

    Raises:
        CuveeError: Feast answered other rows than were asked for.
    """
    if not len(asked):
        return STATES.empty_table()
    moments = asked[c.EVENT_TIMESTAMP].to_numpy() - int(before)
    entities = asked.assign(**{c.EVENT_TIMESTAMP: pd.to_datetime(moments, unit="us", utc=True).as_unit("us")})
    answer = feast.get_historical_features(entity_df=entities, features=feast.get_feature_service(USER_SERVICE))
    table = answer.to_arrow()
    place = pd.Index(table[c.USER_ID].to_pylist()).get_indexer_for(asked[c.USER_ID])
    if len(place) != len(asked) or len(table) != len(asked) or (place < 0).any():
        raise CuveeError(
            f"Feast answered {len(table)} point-in-time rows; expected one for each of {len(asked)} users. "
            "Nothing can be trained on this; check the offline store (feature_store.yaml)."
        )
    table = table.take(place)
    columns = [table[c.USER_ID], pa.array(asked[c.EVENT_TIMESTAMP]).cast(MICROSECONDS)]
    columns += [_filled(table[name], STATES.field(name).type, []) for name in LISTS]
    columns.append(_filled(table[c.PROFILE], pa.string(), "{}"))
    return pa.Table.from_arrays(columns, schema=STATES)


def _filled(column: pa.ChunkedArray, kind: pa.DataType, empty: Any) -> pa.Array:
    values = column.cast(kind).combine_chunks()
    return pc.if_else(pc.is_null(values), pa.scalar(empty, kind), values)
