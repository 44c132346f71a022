"""What every way to make a release smaller saves and loses: `make bench-smaller`.

Sizes are those of the files. Memory and milliseconds are of processes that serve one release each, in turns. NDCG@10 is
compared on the fit windows, as the package stage does before it takes a way, and on the test window, which decides
nothing: there one sees whether the decision was right.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine import BEHAVIOUR, requests
from benchmarks.quality.page import put
from benchmarks.quality.steps import ROOT
from benchmarks.smaller_page import ASKED, render
from components.common.config import Smaller
from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.common.prepared import Prepared
from components.deploy.publish import champion
from components.package.shrink import trial_of
from components.package.smaller import WAYS, make_smaller, size_of
from components.package.student import distilled, leave_to
from components.package.trial import Trial
from serving.blend import Fusion
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.instances import Instance
from serving.release import Facts, verify, write_manifest

log = logging.getLogger("benchmarks")
SCENARIOS = ("recommend", "similar", "bundle", "search")
NOBODY, STRANGERS = "nobody", ("recommend stranger", "similar", "bundle", "search")  # asked without a user's history
ROUNDS = 2
MARKERS = ("<!-- generated: smaller -->", "<!-- end of generated: smaller -->")
MIB = 1 << 20
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A finished run: its shop, its families' folders, its blend, its release and its store."""

    shop: Prepared
    families: tuple[Path, ...]
    fusion: Fusion
    release: Path
    store: Path

    @classmethod
    def of(cls, run: Path) -> "Made":
        """Read the folder of a `cuvee run`.

        Raises:
            CuveeError: it has not published anything.
        """
        steps, release = next((run / "pipeline").glob("train-and-deploy-*"), None), champion(run / "store")
        if steps is None or release is None:
            raise CuveeError(f"{run}: found no published run. Run `make demo`, or name another by --run.")
        families = tuple(steps / f"train-{family}" / "members" for family in ("cf", "deep", "text", "rules"))
        fusion = Fusion.load(steps / "fuse" / "fusion" / "fusion.json")
        return cls(Prepared.load(steps / "prepare" / "prepared"), families, fusion, release, run / "store")


def made_smaller(made: Made, how: Smaller, out: Path) -> None:
    """A copy of the release made smaller, whatever it loses."""
    shutil.copytree(made.release, out)
    manifest = verify(out)
    if how == "distilled":
        leave_to(distilled(made.shop, made.families, made.fusion, made.shop.split.fits), out)
    make_smaller(out / "members", how)
    write_manifest(out, Facts(**{name: getattr(manifest, name) for name in Facts.model_fields}))


def serve(release: Path, store: Path) -> Numbers:
    """Memory, milliseconds of work by scenario and the lists of one release; asked in a process of its own."""
    before, started = memory(), time.process_time()
    engine = Engine.load(release)
    loading = time.process_time() - started
    for name, instances in requests(engine, [NOBODY]).items():
        for instance in instances[:10] if name in STRANGERS else []:
            engine.answer([instance], None, engine.as_of)  # one by one: what a batch takes is not the release's
    after = memory()
    port = HistoricalStates.load(store / BEHAVIOUR, engine.catalogue)
    users = np.random.default_rng(0).permutation(np.array(port.user_ids))[:ASKED].tolist()
    asked = {name: found[:ASKED] for name, found in requests(engine, users).items() if name in SCENARIOS}
    return {
        "load_s": loading,
        "private_mb": (after["private"] - before["private"]) / MIB,
        "shared_mb": (after["shared"] - before["shared"]) / MIB,
        "work_ms": {name: _work(engine, instances, port) for name, instances in asked.items()},
        "lists": {name: _lists(engine, instances, port) for name, instances in asked.items()},
    }


def memory() -> dict[str, int]:
    """Bytes of this process that are its own, and those that other processes of the machine could share."""
    with Path("/proc/self/smaps_rollup").open(encoding="utf-8") as handle:
        lines = [line.split() for line in handle if line.endswith("kB\n")]
    found = {words[0].rstrip(":"): int(words[1]) << 10 for words in lines}
    private = found["Private_Clean"] + found["Private_Dirty"] - _mapped_alone()
    return {"private": private, "shared": found["Rss"] - private}


def _mapped_alone() -> int:
    """Bytes of files that nobody else maps just now: they count as private, but a second worker would share them."""
    total, mapped = 0, False
    with Path("/proc/self/smaps").open(encoding="utf-8") as handle:
        for line in handle:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                mapped = len(words) > 5 and words[5].endswith(".npy")
            elif mapped and words[0] in ("Private_Clean:", "Private_Dirty:"):
                total += int(words[1]) << 10
    return total


def _work(engine: Engine, instances: Sequence[Instance], port: HistoricalStates) -> float:
    """Median milliseconds of the processor's work for one request, warm."""
    worked = []
    for instance in [*instances[:10], *instances]:
        busy = time.thread_time()
        engine.answer([instance], port, engine.as_of)
        worked.append((time.thread_time() - busy) * 1e3)
    return float(np.median(worked[10:]))


def _lists(engine: Engine, instances: Sequence[Instance], port: HistoricalStates) -> list[list[str]]:
    answers = engine.answer(list(instances), port, engine.as_of)
    return [[item["item_id"] for item in answer["items"]] for answer in answers]


def kept(lists: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> float:
    """The mean share of the first lists' items that the others hold; 1.0 where all are empty."""
    shares = [len(set(one) & set(other)) / len(one) for one, other in zip(lists, others, strict=True) if one]
    return float(np.mean(shares)) if shares else 1.0


def apart(release: Path, store: Path, part: Path) -> Numbers:
    """`serve` in a process of its own, on one thread."""
    command = [sys.executable, "-m", "benchmarks.smaller", "--serve", str(release), "--store", str(store)]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([*command, "--part", str(part)], check=True, env=os.environ | alone, cwd=ROOT)
    found: Numbers = read_json(part)
    return found


def measure(made: Made, ways: Sequence[Smaller], work: Path, path: Path) -> Numbers:
    """Every figure of every way, written to *path* as it is found; the first, `none`, is the release as it is."""
    served: dict[str, list[Numbers]] = {way: [] for way in ways}
    for way in ways:
        made_smaller(made, way, work / way)
    for turn in range(ROUNDS):
        for way in ways:
            served[way].append(apart(work / way, made.store, work / "part.json"))
            log.info("%s, turn %d: served", way, turn)
    found = {way: _summed(served[way], served["none"][0]) | _sizes(work / way) for way in ways}
    about = {"items": len(made.shop.items), "users": len(made.shop.users), "release": made.release.name, "ways": found}
    write_json(path, about)
    for way in ways[1:]:
        trial = trial_of(made.shop, made.families, made.fusion, way, made.shop.split.fits)
        test = trial_of(made.shop, made.families, made.fusion, way, [made.shop.split.test])
        found[way] |= {"why_not": trial.why_not, "fit": _told(trial), "test": _told(test)}
        write_json(path, about)
        log.info("%s: %s", way, trial.why_not or "taken")
    return about


def _summed(turns: Sequence[Numbers], whole: Numbers) -> Numbers:
    """Medians over the turns, and the share of the whole release's lists that are kept."""
    names = turns[0]["lists"]  # a student answers some scenarios only
    found: Numbers = {name: _median([turn[name] for turn in turns]) for name in ("load_s", "private_mb", "shared_mb")}
    found["work_ms"] = {name: _median([turn["work_ms"][name] for turn in turns]) for name in names}
    found["kept"] = {name: kept(whole["lists"][name], turns[0]["lists"][name]) for name in names}
    return found


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _sizes(release: Path) -> Numbers:
    return {"release_mb": size_of(release) / MIB, "members_mb": size_of(release / "members") / MIB}


def _told(trial: Trial) -> Numbers:
    return {task: {name: loss.model_dump() for name, loss in found.items()} for task, found in trial.losses.items()}


def main() -> None:
    """Measure, write smaller.json and, where asked, the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"), help="the folder of a finished run")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--serve", type=Path, help="measure this release alone")
    parser.add_argument("--store", type=Path, help="of whose users it is asked")
    parser.add_argument("--part", type=Path, help="where its figures go")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if asked.serve:
        write_json(asked.part, serve(asked.serve, asked.store))
        return
    with tempfile.TemporaryDirectory() as work:
        found = measure(Made.of(asked.run), WAYS, Path(work), asked.out / "smaller.json")
    text = render(found, ROUNDS)
    log.info(text)
    if asked.page:
        put(ROOT / "docs" / "benchmarks.md", text, MARKERS)


if __name__ == "__main__":
    main()
