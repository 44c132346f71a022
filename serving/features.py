"""The one port to user state: as it was known at a moment (Parquet, offline) or as it is now (Feast, online)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from components.common import columns as c
from components.common.errors import ReleaseError
from components.common.moments import DAY
from serving.arrays import PAD, Floats, Longs
from serving.catalogue import Catalogue
from serving.connections import REGISTRY, read_config, told_plainly
from serving.light import light_imports
from serving.states import NO_PROFILE, UserStates
from serving.user_rows import LISTS, UserRows

if TYPE_CHECKING:
    from feast import FeatureStore

STORE_FILE = "feature_store.yaml"
REDIS_BOUNDS = ("socket_connect_timeout=1", "socket_timeout=1", "retry=null")


class StatePort(Protocol):
    """What the engine asks for users' behaviour."""

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """States of *user_ids* at *as_of* (µs); a user nothing is known of has an empty history."""


class HistoricalStates:
    """Point-in-time rows that Feast's offline store answered, one per user."""

    def __init__(self, states: UserStates) -> None:
        self._states = states
        self._rows = {user: row for row, user in enumerate(states.user_ids)}

    @classmethod
    def load(cls, path: Path, catalogue: Catalogue) -> "HistoricalStates":
        """Read `states/<cut>.parquet`; items the catalogue does not hold are left out."""
        return cls.of(pq.read_table(path), catalogue)

    @classmethod
    def of(cls, table: pa.Table, catalogue: Catalogue) -> "HistoricalStates":
        """The rows of *table*, with the columns of such a file."""
        return cls(_from_table(table, catalogue))

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The users there are rows of."""
        return self._states.user_ids

    def states(self, user_ids: Sequence[str], as_of: int | None = None) -> UserStates:
        """States of *user_ids* at their rows' own moments, or all at *as_of* (µs); unknown users are empty at 0."""
        rows = np.array([self._rows.get(user, PAD) for user in user_ids], dtype=np.int64)
        known = rows != PAD
        taken = _with_blank(self._states).take(np.where(known, rows, len(self._states)))
        moments = taken.as_of if as_of is None else np.full(len(rows), as_of, dtype=np.int64)
        return replace(taken, user_ids=tuple(user_ids), as_of=moments)


class OnlineStates:
    """The one client of Feast's online store. Feast is imported when the first one is made.

    max_age_days: rows older than this at the moment of the question count as missing (Feast itself serves values
    of any age); None keeps all.
    """

    def __init__(self, store: Path, catalogue: Catalogue, max_age_days: float | None = None) -> None:
        self._rows = UserRows(open_store(store, online_only=True))
        self._catalogue = catalogue
        self._max_age = np.inf if max_age_days is None else max_age_days * DAY

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """States of *user_ids* as the online store holds them, seen from *as_of* (µs)."""
        if as_of is None:
            raise ValueError("online states need the moment of the question: give as_of in µs.")
        found = self.rows(user_ids)
        stale = np.array([row is not None and as_of - row[c.EVENT_TIMESTAMP] > self._max_age for row in found], bool)
        rows = [None if old else row for row, old in zip(found, stale, strict=True)]
        states = UserStates.from_rows(user_ids, rows, np.full(len(rows), as_of, dtype=np.int64), self._catalogue)
        return replace(states, stale=stale) if stale.any() else states

    def ages(self, user_ids: Sequence[str], as_of: int) -> Floats:
        """(n,) days since each user's behaviour was written true, NaN for users without any."""
        stamps = [
            np.nan if row is None or c.ITEM_IDS not in row else row[c.EVENT_TIMESTAMP] for row in self.rows(user_ids)
        ]
        return ((as_of - np.array(stamps, dtype=np.float64)) / DAY).astype(np.float32)

    def rows(self, user_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
        """Feature rows (lists, profile, event_timestamp in µs); without behaviour a profile alone, or None."""
        return self._rows.read(user_ids)


class NoOfflineStoreConfig(BaseModel):
    """What Feast is told of an offline store where only online rows are read: DuckDB is then never imported."""

    type: str


def open_store(store: Path, online_only: bool = False) -> "FeatureStore":
    """Open the Feast store in the folder *store* by its feature_store.yaml, where ${CUVEE_STORE} is the folder.

    Raises:
        ReleaseError: the folder has no feature store.
        ConfigError: its file asks for an environment variable that is not set.
        StoreDownError: the server of its registry does not answer.
    """
    with light_imports():
        from feast import FeatureStore, RepoConfig

    path = store / STORE_FILE
    if not path.exists():
        raise ReleaseError(
            f"{store}: no {STORE_FILE}; expected a store that a run materialised. Run `cuvee run` first."
        )
    config = read_config(path, store)
    if online_only:
        config["offline_store"] = {"type": f"{__name__}.NoOfflineStore"}  # Feast appends "Config" to the name
        config[REGISTRY]["cache_ttl_seconds"] = 0  # read once: what answers requests does not need the registry again
        _hold_to_time(config["online_store"])
    with told_plainly():
        return FeatureStore(config=RepoConfig(repo_path=store.resolve(), **config))


def _hold_to_time(online_store: dict[str, Any]) -> None:
    """Let Redis' client give up after a second; by itself it waits for ever, and tries refused connections for long."""
    if online_store["type"] == "redis":
        bounds = REDIS_BOUNDS if online_store.get("redis_type", "redis") == "redis" else REDIS_BOUNDS[:2]
        given = online_store.get("connection_string", "localhost:6379")
        missing = [bound for bound in bounds if bound.partition("=")[0] + "=" not in given]
        online_store["connection_string"] = ",".join([given, *missing])


def _with_blank(states: UserStates) -> UserStates:
    """*states* and one user more, of whom nothing is known."""
    return UserStates(
        (*states.user_ids, ""),
        np.append(states.indptr, states.indptr[-1]),
        states.items,
        states.last_at,
        states.first_at,
        states.counts,
        np.append(states.as_of, 0),
        (*states.profiles, NO_PROFILE) if states.profiles else (),
    )


def _from_table(table: pa.Table, catalogue: Catalogue) -> UserStates:
    """The same as UserStates.from_rows, over whole columns at once."""
    lists = {name: table[name].combine_chunks() for name in LISTS}
    sizes = lists[c.ITEM_IDS].value_lengths().fill_null(0).to_numpy()
    users = np.repeat(np.arange(len(table)), sizes)
    encoded = lists[c.ITEM_IDS].flatten().dictionary_encode()
    items = catalogue.index(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()]
    last, first, counts = (lists[name].flatten().to_numpy() for name in (c.LAST_AT, c.FIRST_AT, c.COUNTS))
    order = np.lexsort((items, last, users))
    order = order[items[order] != PAD]
    kept = np.bincount(users[order], minlength=len(table))
    return UserStates(
        tuple(table[c.USER_ID].to_pylist()),
        np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
        items[order],
        last[order].astype(np.int64),
        first[order].astype(np.int64),
        counts[order].astype(np.float32),
        _microseconds(table[c.EVENT_TIMESTAMP]),
        tuple(table[c.PROFILE].to_pylist()) if c.PROFILE in table.column_names else (),
    )


def _microseconds(stamps: pa.ChunkedArray) -> Longs:
    return np.asarray(stamps.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(), dtype=np.int64)
