"""Past the gate: bring the store's online rows up to the last event, once and safely."""

import contextlib
import io
import os
import shutil
import time
from pathlib import Path

from components.common.errors import InputError
from components.common.files import read_json, write_json
from components.common.moments import DAY, moment
from components.materialize.repo import apply, forget
from components.materialize.run import FEATURES_FILE
from components.materialize.sources import SOURCES_FOLDER
from serving.recent import WATERMARK_FILE

BEGINNING = -DAY  # µs: the day before anything could have happened


def materialize_online(features: Path, store: Path, until: int | None = None) -> int:
    """Copy the run's sources into *store*, apply the repository and write all that is newer than the watermark.

    The watermark is committed last, so a run that is killed is simply repeated; rows are keyed by user or item and
    an older row never replaces a newer one, so a repeat changes nothing. Where the catalogue or the event weights
    are no longer those of the watermark, everything is written anew; and where that watermark lies past the end, the
    rows are of another shop, or of events taken back, which none of these could replace: they are removed first.

    Args:
        features: what `materialize` wrote.
        store: the shop's store.
        until: µs, the end; None: the last event.

    Returns:
        The committed watermark, µs.

    Raises:
        InputError: the end lies in the future; a watermark there would hide all that happens until then.
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
    start = int(mark["until"]) if mark.get("vocabulary") == facts["vocabulary"] else BEGINNING
    if start == BEGINNING and int(mark.get("until", BEGINNING)) > end:
        forget(store)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        feast.materialize(start_date=moment(min(start, end)), end_date=moment(end))
    committed = max(start, end)
    write_json(store / WATERMARK_FILE, {"until": committed, "vocabulary": facts["vocabulary"]})
    return committed


def _bring(source: Path, target: Path) -> None:
    """Copy every source file; a reader sees the old file or the new."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.parquet")):
        temporary = target / f".{path.name}.{os.getpid()}.tmp"
        shutil.copyfile(path, temporary)
        os.replace(temporary, target / path.name)
