"""recommend: the k best of every user of a states file, written by the very engine that serves."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.common import columns as c
from components.common.errors import ConfigError, CuveeError, ReleaseError
from components.common.files import write_json
from components.common.stage import progress
from components.recommend.part import LISTS, PART, ROWS, UNFINISHED, PartScorer, Wanted
from serving.current import current_release
from serving.release import verify

SUMMARY_FILE = "_recommendations.json"  # of a name that readers of Parquet folders leave out
MOST_ITEMS = 100


def recommend(release: Path, states: Path, out: Path, k: int = 10, workers: int = 0) -> dict[str, Any]:
    """Write part-000000.parquet and on (user_id, position, item_id, score) to *out*, and last _recommendations.json.

    Args:
        release: a folder.
        states: what `components.materialize.everyone.everyone` wrote: users, all at one moment, in row groups.
        out: a folder; what it held is replaced.
        k: items of a user, 1 to 100.
        workers: 0: in this process; else so many of Ray's, with the same files, byte for byte.

    Returns:
        What _recommendations.json holds: release, as_of (µs), k, users, rows, parts.

    Raises:
        ConfigError: *k* or *workers* is out of range.
        CuveeError: a part is missing at the end, or the engine had to do without something.
    """
    if not 1 <= k <= MOST_ITEMS or workers < 0:
        raise ConfigError(f"found k {k} and {workers} workers, expected k of 1 to {MOST_ITEMS} and 0 or more workers.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    file = pq.ParquetFile(states)
    parts, users = file.num_row_groups, file.metadata.num_rows
    as_of = _moment(states)
    wanted = Wanted(release.resolve(), states.resolve(), out.resolve(), k, as_of)
    done = _spread(wanted, parts, workers) if workers and parts else _here(wanted, parts)
    if sorted(one[PART] for one in done) != list(range(parts)):
        raise CuveeError(f"recommend: {len(done)} of {parts} parts were answered. Nothing of {out} should be used.")
    for half in out.glob(f"{UNFINISHED}*"):  # of a worker that died while it wrote
        half.unlink()
    summary = {
        "release": verify(release).release,
        "as_of": as_of,
        "k": k,
        "users": users,
        "rows": sum(one[ROWS] for one in done),
        "parts": parts,
    }
    if parts == 0:
        pq.write_table(LISTS.empty_table(), out / "part-000000.parquet")
    write_json(out / SUMMARY_FILE, summary)
    return summary


def recommend_from_store(store: Path, states: Path, out: Path, k: int = 10, workers: int = 0) -> dict[str, Any]:
    """As `recommend`, by the release that the store serves.

    Raises:
        ReleaseError: nothing is published.
    """
    release = current_release(store)
    if release is None:
        raise ReleaseError(f"{store} holds no published release. Run `cuvee run --store {store}` first.")
    return recommend(release, states, out, k, workers)


def _moment(states: Path) -> int:
    """The moment (µs) at which all were asked about; 0 where there is nobody.

    Raises:
        ConfigError: they were asked about at several.
    """
    stamps = pc.unique(pq.read_table(states, columns=[c.EVENT_TIMESTAMP])[c.EVENT_TIMESTAMP].cast(pa.int64()))
    if len(stamps) > 1:
        raise ConfigError(f"{states}: found states of {len(stamps)} moments, expected all of one.")
    return int(stamps[0].as_py()) if len(stamps) else 0


def _here(wanted: Wanted, parts: int) -> list[dict[str, Any]]:
    score, done = PartScorer(wanted), []
    for part in range(parts):
        done.append(score({PART: part}))
        progress("recommend", part + 1, parts)
    return done


def _spread(wanted: Wanted, parts: int, workers: int) -> list[dict[str, Any]]:
    from components.recommend.spread import spread  # where it is asked for: nothing else needs Ray

    return spread(wanted, parts, workers)
