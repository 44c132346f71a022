"""Past the gate: bring the store's online rows up to the last event, once and safely."""

import contextlib
import io
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from components.common import columns as c
from components.common.errors import InputError
from components.common.files import read_json, write_json
from components.common.moments import DAY, moment
from components.common.services import USER_BEHAVIOUR
from components.materialize.repo import EMBEDDED, apply, embedded, forget
from components.materialize.run import FEATURES_FILE
from components.materialize.sources import SOURCES_FOLDER
from serving.connections import told_plainly
from serving.recent import WATERMARK_FILE

if TYPE_CHECKING:
    from feast import FeatureStore

SAMPLE = 100
BEGINNING = -DAY  # µs: the day before anything could have happened


def materialize_online(features: Path, store: Path, until: int | None = None) -> int:
    """Copy the run's sources into *store*, apply the repository and write all that is newer than the watermark.

    The watermark is committed last, so a run that is killed is simply repeated; rows are keyed by user or item and
    an older row never replaces a newer one, so a repeat changes nothing. Where the catalogue or the event weights
    are no longer those of the watermark, or the server has lost what was written, everything is written anew; and
    where that watermark lies past the end, the rows are of another shop, or of events taken back, which none of these
    could replace: they are removed first.

    Args:
        features: what `materialize` wrote.
        store: the shop's store.
        until: µs, the end; None: the last event.

    Returns:
        The committed watermark, µs.

    Raises:
        InputError: the end lies in the future; a watermark there would hide all that happens until then.
        StoreDownError: the registry's or the online store's server does not answer; what was written stays.
    """
    facts = read_json(features / FEATURES_FILE)
    end = int(facts["last_event"]) if until is None else until
    if end > time.time_ns() // 1000:
        raise InputError(
            f"materialise online until {moment(end).isoformat()}: that lies in the future. Expected an end up to "
            "now; correct the timestamps of the events, or the end asked for."
        )
    _bring(features / SOURCES_FOLDER, store / SOURCES_FOLDER)
    feast = apply(store)
    mark = read_json(store / WATERMARK_FILE) if (store / WATERMARK_FILE).exists() else {}
    with told_plainly():
        start = int(mark["until"]) if _continues(mark, facts, feast, store) else BEGINNING
        if start == BEGINNING and int(mark.get("until", BEGINNING)) > end:
            forget(store, feast)
        with _over_whatever_is_there(feast, start == BEGINNING), _quiet():
            feast.materialize(start_date=moment(min(start, end)), end_date=moment(end))
    committed = max(start, end)
    kind = feast.config.online_store.type
    write_json(store / WATERMARK_FILE, {"until": committed, "vocabulary": facts["vocabulary"], "online": kind})
    return committed


def _continues(mark: Mapping[str, Any], facts: Mapping[str, Any], feast: "FeatureStore", store: Path) -> bool:
    """Can the rows up to the watermark stay: of the same vocabulary, in the same kind of store, and still there."""
    if mark.get("vocabulary") != facts["vocabulary"]:
        return False
    if mark.get("online", EMBEDDED) != feast.config.online_store.type:
        return False
    return embedded(feast) or not _lost(feast, store / SOURCES_FOLDER, int(mark["until"]))


def _lost(feast: "FeatureStore", sources: Path, until: int) -> bool:
    """Does a server no longer hold one of `SAMPLE` users' rows that were written up to *until* (µs)?"""
    written = pq.read_table(
        sources / f"{USER_BEHAVIOUR}.parquet", columns=[c.USER_ID], filters=[(c.EVENT_TIMESTAMP, "<=", moment(until))]
    )
    users = sorted(set(written[c.USER_ID].to_pylist()))
    asked = [{c.USER_ID: user} for user in users[:: max(1, len(users) // SAMPLE)]]
    if not asked:
        return False
    answer = feast.get_online_features(features=[f"{USER_BEHAVIOUR}:events"], entity_rows=asked).to_dict()
    return None in answer["events"]


@contextlib.contextmanager
def _over_whatever_is_there(feast: "FeatureStore", anew: bool) -> Iterator[None]:
    """Let Redis replace rows of the same moment too, which it else keeps: written *anew*, they say something else."""
    online = feast.config.online_store
    if not anew or not hasattr(online, "skip_dedup"):
        yield
        return
    before, online.skip_dedup = online.skip_dedup, True
    try:
        yield
    finally:
        online.skip_dedup = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _bring(source: Path, target: Path) -> None:
    """Copy every source file; a reader sees the old file or the new."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.parquet")):
        temporary = target / f".{path.name}.{os.getpid()}.tmp"
        shutil.copyfile(path, temporary)
        os.replace(temporary, target / path.name)
