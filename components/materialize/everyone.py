"""The states of every user that a store knows, at one moment, as Feast's offline store answers them."""

import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from components.common import columns as c
from components.common.errors import InputError
from components.common.files import read_json
from components.common.services import USER_BEHAVIOUR
from components.materialize.repo import reopen
from components.materialize.sources import SOURCES_FOLDER
from components.materialize.states import historical
from serving.connections import told_plainly
from serving.current import current_release
from serving.release import MANIFEST_FILE
from serving.server import parse_clock

PART_USERS = 256  # of one row group, which one worker answers at a time


def everyone(store: Path, out: Path, as_of: str) -> int:
    """Write STATES of all users with behaviour by *as_of* to the file *out*, by user_id; returns how many there are.

    Args:
        store: a store that a run was published in.
        out: a Parquet file; each of its row groups is one part of the users.
        as_of: release (the last event that the served release knows), now, or an ISO time.

    Raises:
        ConfigError: *as_of* is none of these.
        InputError: the store holds no sources of features.
        CuveeError: Feast did not answer one row per user asked.
    """
    at = _moment(store, as_of)
    source = store / SOURCES_FOLDER / f"{USER_BEHAVIOUR}.parquet"
    if not source.exists():
        raise InputError(f"{store}: no {SOURCES_FOLDER}/{source.name}; expected the store of a published run.")
    known = pq.read_table(source, columns=[c.USER_ID, c.EVENT_TIMESTAMP]).to_pandas()
    met = known[known[c.EVENT_TIMESTAMP] <= pd.Timestamp(at, unit="us", tz="UTC")]
    asked = pd.DataFrame({c.USER_ID: sorted(set(met[c.USER_ID]))})
    asked[c.EVENT_TIMESTAMP] = at
    with told_plainly():
        table = historical(reopen(store), asked, before=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, out, row_group_size=PART_USERS)
    return len(table)


def _moment(store: Path, as_of: str) -> int:
    """µs since the epoch."""
    clock = parse_clock(as_of)
    if clock == "now":
        return time.time_ns() // 1000
    if clock != "release":
        return clock
    release = current_release(store)
    last = read_json(release / MANIFEST_FILE)["as_of"] if release else None
    if last is None:
        raise InputError(f"{store}: no release with users is published here. Run `cuvee run --store {store}` first.")
    return int(last)
