"""What each member costs: numbers held, bytes on disk, seconds of training, milliseconds a user."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.common.prepared import Prepared
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.members.base import Member
from serving.queries import RECOMMEND
from serving.states import UserStates

if TYPE_CHECKING:
    from benchmarks.quality.measure import Finished

BATCH, REPETITIONS, SINGLES = 256, 5, 50


def costs(run: "Finished", engine: Engine, shop: Prepared) -> dict[str, dict[str, Any]]:
    """By member that can recommend: parameters, bytes, training_s, stage, ms_256 and ms_1 (one thread, per user)."""
    cut = shop.split.test
    history = HistoricalStates.load(run.features / "states" / f"{cut.name}.parquet", engine.catalogue)
    states = history.states(list(history.user_ids[:BATCH]), cut.as_of)
    trained, stages = training_seconds(
        *(folder / "progress.jsonl" for folder in (run.root, *run.root.resolve().parents[:2]))
    )
    found = {}
    for name, member in engine.members.items():
        if RECOMMEND not in member.scenarios:
            continue
        folder = run.release / "members" / name
        stage = _stage(run, name)
        found[name] = {
            "family": member.family,
            "parameters": parameters(folder),
            "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
            "stage": stage,
            "training_s": trained.get((stage, name)),
            "stage_s": stages.get(stage),
            "ms_256": _milliseconds(engine, member, states, BATCH, REPETITIONS),
            "ms_1": _milliseconds(engine, member, states, 1, SINGLES),
        }
    return found


def parameters(folder: Path) -> int:
    """How many numbers a member's arrays and ONNX graphs hold."""
    return sum(_count(path) for path in sorted(folder.rglob("*")))


def _count(path: Path) -> int:
    if path.suffix == ".npy":
        return int(np.load(path, mmap_mode="r", allow_pickle=False).size)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return int(sum(arrays[name].size for name in arrays.files))
    if path.suffix == ".onnx":
        import onnx

        return int(sum(np.prod(one.dims) for one in onnx.load(str(path)).graph.initializer))
    return 0


def training_seconds(*logs: Path) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Seconds by (stage, member), tuning and every training together, and by stage, from the first log there is."""
    members: dict[tuple[str, str], float] = {}
    stages: dict[str, float] = {}
    for fact in _facts(logs):
        if fact["kind"] == "start":  # a stage that is run again replaces what it said before
            members = {key: value for key, value in members.items() if key[0] != fact["stage"]}
        elif fact["kind"] == "member":
            key = (fact["stage"], fact["member"])
            members[key] = round(members.get(key, 0.0) + fact["seconds"], 3)
        elif fact["kind"] == "end":
            stages[fact["stage"]] = fact["seconds"]
    return members, stages


def _facts(logs: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    for log in logs:
        if log.exists():
            yield from (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
            return


def _stage(run: "Finished", name: str) -> str:
    for folder in run.families:
        if any(folder.glob(f"*/{name}")):
            return folder.parent.name.replace("-", "_")
    return ""


def _milliseconds(engine: Engine, member: Member, states: UserStates, batch: int, times: int) -> float | None:
    """Median milliseconds a user of *times* batches, after one to warm up."""
    if not len(states):
        return None
    taken = []
    for number in range(times + 1):
        rows = (np.arange(min(batch, len(states))) + number * batch) % len(states)
        queries = engine.queries(RECOMMEND, states.take(rows))
        started = time.perf_counter()
        member.score_all(queries)
        taken.append((time.perf_counter() - started) * 1e3 / len(rows))
    return round(float(np.median(taken[1:])), 4)
