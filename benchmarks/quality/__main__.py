"""Quality against members, peers and other fusions: `make bench-quality` (docs/benchmarks.md says what it measures)."""

import argparse
import logging
import shutil
from pathlib import Path
from typing import Any

from benchmarks.quality.bench import QUALITY_FILE, Options, run
from benchmarks.quality.check import differences
from benchmarks.quality.goals import goals
from benchmarks.quality.page import put, render
from benchmarks.quality.plots import draw
from benchmarks.quality.shops import Case, known
from benchmarks.quality.steps import ROOT
from components.common.files import read_json, write_json, write_text

log = logging.getLogger("benchmarks")
SECOND = "second"
CASES = ["sports", "journey", "office", "industrial", "journey_newcomers", "sports_full"]
IMAGES = "images"


def publish(quality: dict[str, Any], out: Path, page: Path | None) -> list[dict[str, Any]]:
    """Judge the goals, draw, write quality.json, quality.md and, if asked, the page; returns the goals."""
    write_json(out / QUALITY_FILE, quality)
    quality = read_json(out / QUALITY_FILE)  # with its names in the order in which `--render` will find them
    lines = goals(quality)
    write_json(out / QUALITY_FILE, quality | {"goals": lines})
    plots = draw(quality, out)
    write_text(out / "quality.md", render(quality, lines, plots) + "\n")
    if page:
        draw(quality, page.parent / IMAGES)
        put(page, render(quality, lines, [f"{IMAGES}/{plot}" for plot in plots]))
    return lines


def check(cases: list[Case], options: Options) -> dict[str, Any]:
    """Run everything a second time, apart from the peers, and compare with the first run's figures, bit for bit."""
    first = read_json(options.out / QUALITY_FILE)
    shutil.rmtree(options.out / SECOND, ignore_errors=True)
    again = run(cases, Options(**vars(options) | {"out": options.out / SECOND, "trials": 0}))
    differ, figures = differences({name: first["cases"][name] for name in again["cases"]}, again["cases"])
    first["check"] = {"figures": figures, "differ": differ}
    return dict(first)


def _cases(options: argparse.Namespace) -> list[Case]:
    if options.data:
        name = options.data.resolve().name
        return [Case(name=name, source=str(options.data), protocol=options.protocol, windows=options.windows,
                     curve=tuple(options.curve))]  # fmt: skip
    return [known(name) for name in options.case]


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs="*", default=CASES, help="which of these")
    parser.add_argument("--data", type=Path, help="a folder of your own tables instead")
    parser.add_argument("--protocol", default="temporal", choices=("temporal", "leave-one-out"), help="with --data")
    parser.add_argument("--windows", type=int, default=1, help="test windows, with --data")
    parser.add_argument("--curve", type=float, nargs="*", default=[], help="shares of the users, with --data")
    parser.add_argument("--effort", default="fast", choices=("fast", "full"), help="of cases that name none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/bench/quality"))
    parser.add_argument("--jobs", type=int, default=2, help="windows at once")
    parser.add_argument("--trials", type=int, default=12, help="with which each peer tunes itself; 0: no peers")
    parser.add_argument("--seconds", type=int, default=40, help="after which a peer's tuning ends")
    parser.add_argument("--only", default="", help="names of peers, comma-separated")
    parser.add_argument("--keep", action="store_true", help="keep finished steps though the code has changed since")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md and its images")
    parser.add_argument("--check", action="store_true", help="run a second time and compare with the first")
    parser.add_argument("--render", action="store_true", help="run nothing: goals, plots and page from quality.json")
    return parser.parse_args()


def main() -> None:
    """Run, compare or render, and say which goals hold."""
    asked = _parsed()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = Options(
        out=asked.out, effort=asked.effort, seed=asked.seed, jobs=asked.jobs,
        trials=asked.trials, seconds=asked.seconds, only=asked.only, any_code=asked.keep,
    )  # fmt: skip
    if asked.render:
        quality = read_json(asked.out / QUALITY_FILE)
    else:
        quality = check(_cases(asked), options) if asked.check else run(_cases(asked), options)
    words = {True: "holds", False: "DOES NOT HOLD", None: "not judged"}
    for line in publish(quality, asked.out, ROOT / "docs" / "benchmarks.md" if asked.page else None):
        log.info("%-14s %s %s: %s (%s)", words[line["holds"]], line["case"], line["task"], line["goal"], line["found"])


if __name__ == "__main__":
    main()
