"""Seconds of work and memory of every stage on a slice of a shop: `make bench-pipeline`."""

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.page import put, table
from benchmarks.quality.shops import EVENTS, Case, known, of_users, tables
from benchmarks.quality.steps import QUIET, ROOT, THREADS, Kept, Step, composition
from benchmarks.yardstick import slower, yardstick_ms
from components.common.config import Effort
from components.common.files import read_json, write_json, write_text
from components.common.identity import KEY_VARIABLE
from components.common.prepared import SHOP_FILE

log = logging.getLogger("benchmarks")
INTERACTIONS = 200_000
GOALS: dict[str, float] = {"fast": 120.0, "full": 1_200.0}  # seconds of work of all stages together
GOAL_MB = 2_500
ASIDE = "encode"  # a transformer reads every text once: not counted, as imports are not
LAST = "evaluate"  # what follows goes online
MARKERS = ("<!-- generated: pipeline -->", "<!-- end of generated: pipeline -->")
KEY = "a key for public data"
IMPORTING = (
    "import sys, time, importlib; import components.common.stage; started = time.process_time(); "
    "importlib.import_module(sys.argv[1]); sys.stdout.write(str(time.process_time() - started))"
)
Numbers = dict[str, Any]


def sliced(case: Case, out: Path, interactions: int, seed: int) -> Path:
    """A folder of tables with the events of so many of the shop's users that some *interactions* remain."""
    door = Kept(out / "door", environment={KEY_VARIABLE: KEY})
    door.run(composition({"data": tables(case, out), "store": str((out / "store").resolve())}, last=("ingest",)))
    whole = door.path(("ingest", "tables"))
    share = min(interactions / len(pd.read_parquet(whole / EVENTS, columns=[])), 1.0)
    folder = of_users(whole, out / f"tables_{interactions}", share, seed)
    settings = read_json(folder / SHOP_FILE)
    write_text(folder / "shop.yaml", json.dumps({name: value for name, value in settings.items() if value is not None}))
    return folder


def measure(case: Case, effort: Effort, out: Path, interactions: int, seed: int) -> Numbers:
    """Every stage up to the verdict, one process each, one after the other; finished ones are not run again."""
    data = sliced(case, out, interactions, seed)
    kept = Kept(out / f"steps_{effort}", environment={KEY_VARIABLE: KEY})
    arguments = {
        "data": str(data.resolve()), "protocol": case.protocol, "effort": effort, "seed": seed,
        "store": str((out / "store").resolve()),
    }  # fmt: skip
    stages, yardsticks = {}, []
    for step in composition(arguments, last=(LAST,)):
        kept.run([step])
        yardsticks.append(yardstick_ms())
        stages[step.name] = _stage(kept, step)
        log.info("%-8s %-12s %s", case.name, step.name, stages[step.name])
    events = len(pd.read_parquet(data / EVENTS, columns=[]))
    return {
        "interactions": events, "protocol": case.protocol, "effort": effort, "stages": stages,
        "yardstick_ms": float(np.median(yardsticks)),
    }  # fmt: skip


def _stage(kept: Kept, step: Step) -> Numbers:
    """What the stage told at its end, and the CPU seconds of importing its module alone."""
    told = [json.loads(line) for line in (kept.root / "progress.jsonl").read_text(encoding="utf-8").splitlines()]
    end = next(
        fact for fact in reversed(told) if fact["kind"] == "end" and fact["stage"] == step.name.replace("-", "_")
    )
    module = f"components.{end['stage']}.run"
    found = subprocess.run(
        [sys.executable, "-c", IMPORTING, module], cwd=ROOT, env=os.environ | QUIET | THREADS, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    imports = min(float(found.stdout), end["cpu_s"])
    names = ("seconds", "cpu_s", "rss_mb")
    return {name: end[name] for name in names} | {"imports_s": round(imports, 3)}


def work(run: Numbers) -> Numbers:
    """Sums of one run: CPU seconds and wall seconds without imports and encoding, and the highest memory."""
    counted = [one for name, one in run["stages"].items() if name != ASIDE]
    return {
        "cpu_s": round(sum(one["cpu_s"] - one["imports_s"] for one in counted), 1),
        "wall_s": round(sum(max(one["seconds"] - one["imports_s"], 0.0) for one in counted), 1),
        "peak_mb": max(one["rss_mb"] for one in run["stages"].values()),
    }


def render(runs: dict[str, Numbers]) -> str:
    """The part of docs/benchmarks.md, in Markdown."""
    names = list(dict.fromkeys(name for run in runs.values() for name in run["stages"]))
    rows = [(name, *(_told(run["stages"].get(name)) for run in runs.values())) for name in names]
    parts = ["## Pipeline", _conditions(runs), table(("", *runs), rows)]
    return "\n\n".join([*parts, *(_goal(name, run) for name, run in runs.items())])


def _told(one: Numbers | None) -> str:
    return (
        "–"
        if one is None
        else f"{one['cpu_s'] - one['imports_s']:.1f} s ({one['seconds']:.1f}), {one['rss_mb']:.0f} MB"
    )


def _conditions(runs: dict[str, Numbers]) -> str:
    slices = "; ".join(
        f"{name}: {run['interactions']:,} interactions, {run['protocol']}, effort {run['effort']}"
        for name, run in runs.items()
    )
    return (
        f"`make bench-pipeline`: every stage up to the verdict, a process each, {os.cpu_count()} cores, no GPU. "
        f"{slices}. "
        "CPU seconds of work, imports of the stage's module aside (in brackets: seconds on the clock, imports and "
        "whatever else the machine did included), and the peak memory of the stage's process."
    )


def _goal(name: str, run: Numbers) -> str:
    sums, seconds = work(run), GOALS[run["effort"]]
    holds = "holds" if sums["cpu_s"] <= seconds and sums["peak_mb"] <= GOAL_MB else "**does not hold**"
    rate = slower(run["yardstick_ms"])
    there = (
        f"The yardstick (`benchmarks/yardstick.py`) took {rate:.2f} times as long as on the machine on which this "
        f"goal was set: some {sums['cpu_s'] / rate:.0f} s there."
    )
    return (
        f"{name}: {sums['cpu_s']:.0f} CPU s of work without {ASIDE} ({sums['wall_s']:.0f} s on the clock), at most "
        f"{sums['peak_mb']:,.0f} MB; goal {seconds:.0f} s and {GOAL_MB:,} MB: {holds}. {there}"
    )


def main() -> None:
    """Measure the cases, write pipeline.json and, where asked, the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/pipeline"))
    parser.add_argument("--case", nargs="+", default=["sports", "journey"])
    parser.add_argument("--effort", default="fast", choices=("fast", "full"))
    parser.add_argument("--interactions", type=int, default=INTERACTIONS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = asked.out / "pipeline.json"
    runs: dict[str, Numbers] = read_json(path) if path.exists() else {}
    for name in asked.case:
        found = measure(known(name), asked.effort, asked.out / name, asked.interactions, asked.seed)
        runs[f"{name} {asked.effort}"] = found
        write_json(path, runs)
        log.info(_goal(name, found))
    if asked.page:
        put(ROOT / "docs" / "benchmarks.md", render(runs), MARKERS)


if __name__ == "__main__":
    main()
