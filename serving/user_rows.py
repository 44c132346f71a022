"""Users' rows as Feast's online store holds them, by the store's own interface and decoded once.

`FeatureStore.get_online_features` asks the registry what a service means and copies every value into a table of
answers, for every question; here the registry is asked once, and the values are read where the store put them. What
comes of it is the same, for every kind of store.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.common import columns as c
from components.common.services import USER_BEHAVIOUR, USER_PROFILE, USER_SERVICE
from serving.states import NO_PROFILE

if TYPE_CHECKING:
    from feast import FeatureStore

LISTS = (c.ITEM_IDS, c.LAST_AT, c.FIRST_AT, c.COUNTS)
READ = {USER_BEHAVIOUR: LISTS, USER_PROFILE: (c.PROFILE,)}
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

Told = tuple[datetime | None, dict[str, Any] | None]  # of one user in one view: the moment and the protobufs


class UserRows:
    """Reads the views of the user service; Feast is imported with the store it is given."""

    def __init__(self, feast: "FeatureStore") -> None:
        asked = {projection.name for projection in feast.get_feature_service(USER_SERVICE).feature_view_projections}
        if asked != set(READ):
            raise ValueError(f"{USER_SERVICE}: found {sorted(asked)}, expected {sorted(READ)}. Run `cuvee run` again.")
        self._views = [(feast.get_feature_view(name), fields) for name, fields in READ.items()]
        self._store, self._config = feast.provider, feast.config

    def read(self, user_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Feature rows (lists, profile, event_timestamp in µs); without behaviour a profile alone, or None."""
        if not len(user_ids):
            return []
        return [_row(*told) for told in zip(*self.told(user_ids), strict=True)]

    def told(self, user_ids: Sequence[str]) -> list[list[Told]]:
        """What the store itself says of each user, view by view (behaviour, profile), undecoded."""
        keys = _keys(user_ids)  # the names as a list of this call's own: Redis' store adds to it
        return [self._store.online_read(self._config, view, keys, list(fields)) for view, fields in self._views]


def _keys(user_ids: Sequence[str]) -> list[Any]:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    return [EntityKey(join_keys=[c.USER_ID], entity_values=[Value(string_val=user)]) for user in user_ids]


def _row(behaviour: Told, profile: Told) -> Mapping[str, Any] | None:
    (at, lists), (profiled_at, profiles) = behaviour, profile
    told = _found(profiles, c.PROFILE)
    if not lists or not _found(lists, c.ITEM_IDS):
        known = told is not None and told.string_val not in ("", NO_PROFILE)
        return {c.EVENT_TIMESTAMP: _stamp(profiled_at), c.PROFILE: told.string_val} if known else None
    row: dict[str, Any] = {
        c.EVENT_TIMESTAMP: _stamp(at),
        c.ITEM_IDS: list(lists[c.ITEM_IDS].string_list_val.val),
        c.LAST_AT: _array(lists[c.LAST_AT].int64_list_val.val, np.int64),
        c.FIRST_AT: _array(lists[c.FIRST_AT].int64_list_val.val, np.int64),
        c.COUNTS: _array(lists[c.COUNTS].float_list_val.val, np.float32),
        c.PROFILE: "" if told is None else told.string_val,
    }
    if len({len(row[name]) for name in LISTS}) > 1 or not np.isfinite(row[c.COUNTS]).all():
        raise ValueError("the online store's lists of one user do not fit together")
    return row


def _found(values: Mapping[str, Any] | None, name: str) -> Any:
    """The value, or None where there is none; Redis tells of a row that it does not have, with nothing in it."""
    value = (values or {}).get(name)
    return value if value is not None and value.WhichOneof("val") else None


def _stamp(at: datetime | None) -> int:
    """µs since the epoch at which a value was true; 0 where nobody said."""
    return 0 if at is None else (at - EPOCH) // MICROSECOND


def _array(values: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """The numbers of a protobuf list; to NumPy it is a sequence, which `np.array` would ask for each number twice."""
    return np.fromiter(values, dtype, len(values))
