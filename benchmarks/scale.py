"""Seconds and memory of collaborative training from ten thousand to a million users and items: `make bench-scale`."""

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.page import put, table
from benchmarks.quality.plots import PLAIN
from benchmarks.quality.steps import QUIET, ROOT, THREADS
from benchmarks.scale_one import LONGEST, MEAN, REPURCHASE, ZIPF
from components.common.files import read_json, write_json
from components.train_cf.recipes import RECIPES

log = logging.getLogger("benchmarks")
SIZES = (10_000, 100_000, 1_000_000)
LIMIT = 300  # seconds after which a training is stopped
BUSY = 1.0  # load average per core above which a timing would not be worth keeping
GOAL_S, GOAL_MB = 20.0, 3_000  # of co-occurrence at a million
MARKERS = ("<!-- generated: scale -->", "<!-- end of generated: scale -->")
PLOT = "scale.svg"
Numbers = dict[str, Any]


def measure(member: str, size: int, zipf: float, seed: int, out: Path, limit: int = LIMIT) -> Numbers:
    """One training in a process of its own; {"stopped": seconds} or {"failed": why} where it did not end well."""
    result = out / f"scale_{member}_{size}.json"
    result.unlink(missing_ok=True)
    asked = {"member": member, "size": size, "zipf": zipf, "seed": seed, "result": result.resolve()}
    arguments = [text for name, value in asked.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.scale_one", *arguments]
    environment = os.environ | QUIET | THREADS
    try:
        subprocess.run(command, check=True, timeout=limit, cwd=ROOT, env=environment, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return {"stopped": limit}
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        return {"failed": said[-1] if said else f"exit code {error.returncode}"}
    found: Numbers = read_json(result)
    return found


def run(members: list[str], sizes: list[int], zipf: float, seed: int, out: Path) -> Numbers:
    """Every member at every size, the small sizes first; a member stopped once is not tried at a larger size."""
    conditions = {"zipf": zipf, "seed": seed, "limit_s": LIMIT, "cores": os.cpu_count(), "load": os.getloadavg()[1]}
    found: dict[str, Numbers] = {member: {} for member in members}
    for size in sorted(sizes):
        for member in members:
            if any("stopped" in one for one in found[member].values()):
                continue
            found[member][str(size)] = measure(member, size, zipf, seed, out)
            log.info("%9d  %-14s %s", size, member, _told(found[member][str(size)]))
    return {"conditions": conditions, "members": found}


def joined(before: Numbers | None, result: Numbers) -> Numbers:
    """*result*, and of an earlier run under the same conditions what it does not measure anew."""
    same = ("zipf", "seed", "limit_s", "cores")
    if before is None or any(before["conditions"][name] != result["conditions"][name] for name in same):
        return result
    load = max(before["conditions"]["load"], result["conditions"]["load"])
    known = before["members"]
    members = {name: known.get(name, {}) | result["members"].get(name, {}) for name in {**known, **result["members"]}}
    return {"conditions": result["conditions"] | {"load": load}, "members": members}


def growth(points: Numbers) -> float | None:
    """The exponent g of seconds ~ interactions^g between the smallest and the largest size that ended."""
    ended = [one for _, one in sorted(points.items(), key=lambda item: int(item[0])) if "fit_s" in one]
    if len(ended) < 2 or min(ended[0]["fit_s"], ended[-1]["fit_s"]) <= 0:
        return None
    ratio = ended[-1]["interactions"] / ended[0]["interactions"]
    return float(np.log(ended[-1]["fit_s"] / ended[0]["fit_s"]) / np.log(ratio))


def render(result: Numbers, plot: str) -> str:
    """The part of docs/benchmarks.md, in Markdown."""
    conditions, members = result["conditions"], result["members"]
    sizes = sorted({int(size) for points in members.values() for size in points})
    rows = []
    for member, points in members.items():
        exponent = growth(points)
        cells = [_told(points[str(size)]) if str(size) in points else "not tried" for size in sizes]
        rows.append((member, *cells, "–" if exponent is None else f"{exponent:.2f}"))
    head = ("", *(f"{size:,} users and items" for size in sizes), "exponent")
    return "\n\n".join(
        ("## Training at scale", _conditions(conditions), table(head, rows), _goal(members), f"![scale]({plot})")
    )


def _told(one: Numbers) -> str:
    if "stopped" in one:
        return f"stopped at {one['stopped']} s"
    if "failed" in one:
        return f"failed: {one['failed'][:80]}"
    return f"{one['fit_s']:.2f} s, {one['peak_mb']:,} MB"


def _conditions(found: Numbers) -> str:
    busy = (
        " **The machine was busy: seconds are somewhat too high.**"
        if found["load"] > BUSY * (found["cores"] or 1)
        else ""
    )
    return (
        f"`make bench-scale`, seed {found['seed']}, {found['cores']} cores, one thread, load {found['load']:.1f} "
        f"before the start.{busy} Made shops: some {MEAN} interactions a user (log-normal, {LONGEST} at most), one a "
        f"visit; items drawn by Zipf's law, exponent {found['zipf']:g}. Processor seconds of one fit with the numbers "
        "a search starts from (median of 3 where it is quick), the users' states given; memory is the peak of the "
        f"whole process, the made table included. A process each, stopped after {found['limit_s']} s. The "
        "last column is g in seconds ~ interactions^g."
    )


def _goal(members: Numbers) -> str:
    one = members.get("cooccurrence", {}).get(str(SIZES[-1]), {})
    if "fit_s" not in one:
        return "Co-occurrence at a million: not measured."
    holds = "holds" if one["fit_s"] <= GOAL_S and one["peak_mb"] <= GOAL_MB else "**does not hold**"
    asked = f"{one['interactions']:,} interactions within {GOAL_S:.0f} s and {GOAL_MB / 1000:.0f} GB"
    return f"Co-occurrence of {asked}: {holds} ({one['fit_s']:.1f} s, {one['peak_mb'] / 1000:.2f} GB)."


def draw(result: Numbers, path: Path) -> None:
    """Seconds and peak memory by interactions, both axes logarithmic, a line per member."""
    with mpl.rc_context(PLAIN):
        figure = Figure(figsize=(7, 3), layout="constrained")
        for axes, name, label in zip(figure.subplots(1, 2), ("fit_s", "peak_mb"), ("seconds", "MB"), strict=True):
            for member, points in result["members"].items():
                ended = sorted((one["interactions"], one[name]) for one in points.values() if "fit_s" in one)
                if ended:
                    axes.plot(*zip(*ended, strict=True), marker="o", markersize=3, label=member)
            axes.set(xscale="log", yscale="log", xlabel="interactions", ylabel=label)
        axes.legend()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, write scale.json and scale.svg, and the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--members", nargs="+", default=[*RECIPES, REPURCHASE])
    parser.add_argument("--zipf", type=float, default=ZIPF)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md and its image")
    parser.add_argument("--busy", action="store_true", help="measure on a busy machine too; the page then says so")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not asked.busy and os.getloadavg()[0] / (os.cpu_count() or 1) > BUSY:
        raise SystemExit("This machine is busy: its load is above one per core. Wait, then measure (or --busy).")
    asked.out.mkdir(parents=True, exist_ok=True)
    result = run(asked.members, asked.sizes, asked.zipf, asked.seed, asked.out)
    path = asked.out / "scale.json"
    result = joined(read_json(path) if path.exists() else None, result)
    write_json(path, result)
    draw(result, asked.out / PLOT)
    if asked.page:
        draw(result, ROOT / "docs" / "images" / PLOT)
        put(ROOT / "docs" / "benchmarks.md", render(result, f"images/{PLOT}"), MARKERS)


if __name__ == "__main__":
    main()
