"""From the folders of judged windows to quality.json."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.quality.lists import FUSED, MEMBER, PEER, Lists, named, of_codes
from benchmarks.quality.measure import WINDOW_FILE
from benchmarks.quality.missing import ablation, against_best, matrix
from benchmarks.quality.pooled import Pooled, best, gains, ladder, oracle, segments
from components.common.files import read_json
from serving.queries import DISCOVERY, NEXT_BASKET

TASKS = (DISCOVERY, NEXT_BASKET)
VERSIONS = ("numpy", "scipy", "onnxruntime", "tensorflow", "tensorflow-cpu", "torch", "implicit", "lightgbm")
PEER_ASKED = ("asked", "trials")  # folders of this machine, and every trial
Numbers = dict[str, Any]


def case_report(windows: Sequence[Path], seed: int) -> Numbers:
    """All figures of one case.

    Args:
        windows: folders of judged windows, the newest first: window.json, <task>.npz, <task>.families.npz,
            <task>.absent.npz, <task>.viewed.npz, <task>.unknown.npz and peers/<task>/<peer>.json and .npz.
        seed: of the intervals.
    """
    facts = [read_json(window / WINDOW_FILE) for window in windows]
    tasks = [task for task in TASKS if all((window / f"{task}.npz").exists() for window in windows)]
    return {
        "protocol": facts[0]["protocol"],
        "effort": facts[0]["effort"],
        "windows": [
            {key: one[key] for key in ("release", "dataset", "fit_windows", "tasks")} | {"name": window.name}
            for one, window in zip(facts, windows, strict=True)
        ],
        "families": facts[0]["families"],
        "tasks": {task: task_report(windows, task, seed) for task in tasks},
        "costs": facts[0]["costs"],
        "peers": {task: peers_report(windows, task) for task in tasks},
    }


def task_report(windows: Sequence[Path], task: str, seed: int) -> Numbers:
    """Ladder, gains, oracle, segments and, where it was tried, what taking members away and one view do."""
    pooled = Pooled(tuple(_with_peers(window, task) for window in windows), seed)
    leader = best(pooled, MEMBER)
    if leader is None:
        raise ValueError(f"{windows[0]}: no member ranks for the task {task}")
    return {
        "users": sum(map(len, pooled.windows)),
        "windows": len(windows),
        "best_member": leader,
        "best_peer": best(pooled, PEER),
        "ladder": ladder(pooled),
        "gains": gains(pooled),
        "oracle": oracle(pooled, leader),
        "segments": segments(pooled, leader),
        "missing": _missing(windows, task, seed),
        "viewed": _newcomers(windows, task, "viewed", seed),
        "unknown": _newcomers(windows, task, "unknown", seed),
    }


def _newcomers(windows: Sequence[Path], task: str, kind: str, seed: int) -> Numbers | None:
    """Ladder and gains of users who `viewed` one product, or of `unknown` ones; None where nobody was asked so."""
    files = [window / f"{task}.{kind}.npz" for window in windows]
    if not all(path.exists() for path in files):
        return None
    pooled = Pooled(tuple(map(Lists.load, files)), seed)
    return {"users": sum(map(len, pooled.windows)), "ladder": ladder(pooled), "gains": gains(pooled)}


def _missing(windows: Sequence[Path], task: str, seed: int) -> Numbers | None:
    """The matrix of single members and the families' ablation, where they were taken away."""
    families = [window / f"{task}.families.npz" for window in windows]
    if not all(path.exists() for path in families):
        return None
    found: Numbers = {"members": {}, "families": ablation(Pooled(tuple(map(Lists.load, families)), seed))}
    single = [window / f"{task}.absent.npz" for window in windows]
    if not all(path.exists() for path in single):
        return found
    members = Pooled(tuple(map(Lists.load, single)), seed)
    return found | {"sample": against_best(members), "members": matrix(members)}


def _with_peers(window: Path, task: str) -> Lists:
    lists = Lists.load(window / f"{task}.npz")
    found = {}
    for path in sorted((window / "peers" / task).glob("*.npz")):
        if "failed" in read_json(path.with_suffix(".json")):
            continue
        items = _array(path, "items")
        asked = _array(window / "peers" / task / "case" / "asked.npz", "users")
        found[named(PEER, path.stem)] = of_codes(asked, lists.relevance.users, items)
    return lists.plus(found)


def _array(path: Path, name: str) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as read:
        array: npt.NDArray[Any] = read[name]
    return array


def peers_report(windows: Sequence[Path], task: str) -> Numbers:
    """By peer: what it said of itself on the newest window, and how long it tuned itself on the oldest."""
    found = {}
    for path in sorted((windows[0] / "peers" / task).glob("*.json")):
        tuned = windows[-1] / "peers" / task / path.name
        told = read_json(tuned) if tuned.exists() else {}
        spent = {"trials": len(told.get("trials", [])), "seconds": told.get("tune_seconds")}
        found[path.stem] = {key: one for key, one in read_json(path).items() if key not in PEER_ASKED} | {
            "tuned": spent
        }
    return found


def curve_report(shares: dict[str, Path], seed: int) -> dict[str, Numbers]:
    """By share of the users: the blend against the best member, on its own users and on those of the smallest share.

    Args:
        shares: by share, the folder of its judged window.
        seed: of the intervals.
    """
    judged = {share: Lists.load(folder / f"{DISCOVERY}.npz") for share, folder in shares.items()}
    everywhere = set.intersection(*(set(lists.users.tolist()) for lists in judged.values()))
    found = {}
    for share, lists in judged.items():
        rows = [row for row, user in enumerate(lists.users.tolist()) if user in everywhere]
        same = Pooled((lists.take(np.array(rows, dtype=np.int64)),), seed)
        found[share] = {"own": _point(Pooled((lists,), seed)), "same_users": _point(same)}
    return found


def _point(pooled: Pooled) -> Numbers:
    leader = best(pooled, MEMBER)
    one = ladder(pooled)
    return {
        "users": len(pooled.windows[0]),
        "best_member": leader,
        "fused": one[FUSED],
        "best": one[str(leader)],
        "gain": gains(pooled)[str(leader)],
    }


def conditions(seed: int, effort: str, sources: set[str]) -> Numbers:
    """Under what the figures were made; nothing that changes with the clock."""
    versions = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "seed": seed,
        "effort": effort,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "versions": versions,
        "sources": sorted(sources),
    }
