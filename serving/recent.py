"""What users did since the store's online features were last written: kept on disk, read from memory.

Every event that a customer's page sends is one row of `recent_events.db` in the store, committed before it is
acknowledged. Each worker holds the events of users in memory and reads what others wrote a few times a second, so a
question costs a look into a dictionary and no worker needs another. Events up to the store's watermark are part of the
online features: they are left out as soon as a run has written those.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.common.files import read_json
from components.common.moments import DAY
from serving.arrays import PAD
from serving.catalogue import Catalogue
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.features import StatePort

log = logging.getLogger(__name__)

RECENT_FILE = "recent_events.db"
WATERMARK_FILE = "watermark.json"  # up to which moment the online features hold what happened; materialize writes it
NEVER = -1  # µs: before anything could have happened
PERIOD_S = 0.25  # between two looks at what other workers wrote
MOST_EVENTS = 500_000  # kept in the store: some 100 MB in memory
MOST_OF_USER = 200  # read for one answer, the newest
KEPT = 7 * DAY  # how long an event that a run has taken over is remembered by its id
BUSY_S = 5.0  # how long a writer waits for another
TABLE = """
create table if not exists events (
    number integer primary key autoincrement, id text not null unique, user text not null, item text not null,
    kind text not null, at integer not null
)"""
NEW = "insert or ignore into events (id, user, item, kind, at) values (?, ?, ?, ?, ?)"
SINCE = "select number, user, item, kind, at from events where number > ? order by number"


class FullError(Exception):
    """There is no room for more events until a run has taken some over."""


@dataclass(frozen=True)
class Event:
    """Something a user did with an item; *id* and *user* are pseudonyms, *at* µs since the epoch."""

    id: str
    user: str
    item: str
    kind: str
    at: int


Seen = tuple[str, str, int]  # item, kind, at


class Recent:
    """The recent events of one store; one for each process that answers."""

    def __init__(self, store: Path) -> None:
        self._store, self._path = store, store / RECENT_FILE
        self._of: dict[str, tuple[Seen, ...]] = {}
        self._number = 0  # the last row that was read
        self._lock = threading.Lock()
        self._mark: tuple[int, int] | None = None  # of the watermark's file: when it was changed, what it says
        self._left_out = NEVER  # the watermark at the last look
        self.look()

    @property
    def watermark(self) -> int:
        """µs up to which the online features hold what happened; -1 where nothing was ever written."""
        path = self._store / WATERMARK_FILE
        try:
            changed = path.stat().st_mtime_ns
            if self._mark is None or self._mark[0] != changed:
                self._mark = changed, int(read_json(path)["until"])
        except (OSError, ValueError, KeyError, TypeError):  # never written, or not readable: what was last known holds
            return self._mark[1] if self._mark else NEVER
        return self._mark[1]

    def add(self, events: Sequence[Event]) -> int:
        """Keep *events*, whose ids nobody has used, durably; how many of them are new.

        Raises:
            FullError: the store holds as many as it may.
            sqlite3.Error: they cannot be written.
        """
        with self._writing() as database:
            held = database.execute("select count(*) from events").fetchone()[0]
            if held + len(events) > MOST_EVENTS:
                held -= database.execute("delete from events where at <= ?", (self._forgettable,)).rowcount
            if held + len(events) > MOST_EVENTS:
                raise FullError(f"{self._path} holds {held} events, the most it may. Run the pipeline, or wait for it.")
            before = database.total_changes
            database.executemany(NEW, [(one.id, one.user, one.item, one.kind, one.at) for one in events])
            added = database.total_changes - before
        self.look()
        return added

    def look(self) -> None:
        """Read what was added since the last look, and leave out what the online features hold by now."""
        with self._lock:
            mark = self.watermark
            found: dict[str, list[Seen]] = defaultdict(list)
            for number, user, item, kind, at in self._rows():
                self._number = number
                found[user].append((item, kind, at))
            changed, self._left_out = mark != self._left_out, mark
            for user in {*found, *(self._of if changed else ())}:
                seen = [one for one in (*self._of.get(user, ()), *found[user]) if one[2] > mark]
                if seen:
                    self._of[user] = tuple(sorted(seen, key=lambda one: one[2])[-MOST_OF_USER:])
                else:
                    self._of.pop(user, None)

    def of(self, user: str) -> tuple[Seen, ...]:
        """(item, kind, µs) of the user's events past the watermark, oldest first."""
        return self._of.get(user, ())

    def over(self, port: "StatePort", catalogue: Catalogue, weights: Mapping[str, float]) -> "StatePort":
        """*port*, each user having done what is recent as well; *weights* say what an event of a kind counts."""
        return _Over(self, port, catalogue, weights) if self._of else port

    @property
    def _forgettable(self) -> int:
        return min(self.watermark, time.time_ns() // 1000 - KEPT)

    def _rows(self) -> list[tuple[int, str, str, str, int]]:
        if not self._path.exists():
            return []
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=0.05)) as database:
                return database.execute(SINCE, (self._number,)).fetchall()
        except sqlite3.Error as error:  # somebody writes, or the disk is gone: what was read goes on counting
            log.debug("recent events could not be read: %s", error)
            return []

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk when the block ends. No write-ahead log: workers may share a volume."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)) as database:
            database.execute("pragma synchronous = full")
            database.execute("begin immediate")
            try:
                database.execute(TABLE)
                yield database
                database.execute("commit")
            except BaseException:
                database.rollback()
                raise


class Watch(threading.Thread):
    """Looks every quarter of a second at what other workers wrote."""

    def __init__(self, recent: Recent) -> None:
        super().__init__(name="recent", daemon=True)
        self._recent = recent

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            time.sleep(PERIOD_S)
            self._recent.look()


class _Over:
    """A port of user states with what is recent laid over."""

    def __init__(self, recent: Recent, port: "StatePort", catalogue: Catalogue, weights: Mapping[str, float]) -> None:
        self._recent, self._port, self._catalogue, self._weights = recent, port, catalogue, weights

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """As the port's; an item that the catalogue does not hold is passed over."""
        known = self._port.states(user_ids, as_of)
        seen = [(row, *one) for row, user in enumerate(user_ids) for one in self._recent.of(user)]
        if not seen:
            return known
        users, ids, kinds, at = zip(*seen, strict=True)
        items = self._catalogue.index(list(ids))
        weights = np.array([self._weights.get(kind, 1.0) for kind in kinds], dtype=np.float32)
        kept = items != PAD
        return known.meeting(np.array(users)[kept], items[kept], np.array(at, dtype=np.int64)[kept], weights[kept])
