"""Judge one finished run, through the engine that would serve it: `python -m benchmarks.quality.measure RUN OUT`.

Writes, per task, <task>.npz (every member, every method, the blend as served), <task>.families.npz (the same users,
with families of members left out), <task>.absent.npz (a seeded sample of them, with single members taken away, the
blend as served and, where all is taken, learned again), <task>.viewed.npz (those without history, who have viewed one
product; under leave-one-out, where nobody is without, a sample whose past is hidden, and in <task>.unknown.npz the same
users as strangers), and window.json with the facts and what each member costs.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.quality.absent import Absences, Taken, take_families, take_members
from benchmarks.quality.costs import costs
from benchmarks.quality.lists import FUSED, MEMBER, METHOD, REFIT, SERVED, Lists, named
from benchmarks.quality.steps import source_digest
from benchmarks.quality.unknown import hide_pasts
from benchmarks.quality.viewed import take_one_view
from components.common import columns as c
from components.common.config import Effort
from components.common.files import read_json, write_json
from components.common.prepared import Prepared
from components.evaluate.judge import Outcome, judge
from components.evaluate.relevance import met, relevant
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.queries import DISCOVERY, NEXT_BASKET
from serving.states import UserStates

WINDOW_FILE = "window.json"
MATRIX_USERS = 8_000  # users by whom the absence of single members is judged


@dataclass(frozen=True)
class Finished:
    """The folders of a finished run that judging needs, laid out as kfp's local runner does."""

    root: Path

    @property
    def prepared(self) -> Path:
        """The prepared shop."""
        return self.root / "prepare" / "prepared"

    @property
    def release(self) -> Path:
        """What was packaged."""
        return self.root / "package" / "release"

    @property
    def features(self) -> Path:
        """Holds states/<cut>.parquet."""
        return self.root / "materialize" / "features"

    @property
    def families(self) -> list[Path]:
        """The folders of the training stages' members, by name."""
        return sorted(self.root.glob("train-*/members"))


def measure(
    run: Finished, out: Path, effort: Effort, taken: Taken, workers: int, viewed: bool = False
) -> dict[str, Any]:
    """Judge *run* and write its lists to *out*; returns what window.json holds.

    Args:
        run: a finished run.
        out: folder to write.
        effort: the run's; the refits take the same budget.
        taken: what is taken away too. "families": every family, with a new fit. "served": also every member, as it is
            served without. "all": every member with a new fit, too, which takes most of the time.
        workers: batches judged at once.
        viewed: are users without history judged a second time, after one product viewed, or those as newcomers who
            all have one.
    """
    shop, engine = Prepared.load(run.prepared), Engine.load(run.release)
    tasks = [DISCOVERY, NEXT_BASKET] if shop.split.repeats else [DISCOVERY]
    facts: dict[str, Any] = {}
    for task in tasks:
        lists, states, chosen = judged(shop, engine, run, task, workers)
        lists.save(out / f"{task}.npz")
        facts[task] = {"users": len(lists), "chosen": chosen, "fit": _fit(run, task)}
        asked = Absences(shop, engine, run.prepared, run.features, run.families, task, effort, workers)
        if taken != "nothing":
            take_families(asked, lists, states).save(out / f"{task}.families.npz")
        if taken in ("all", "served"):
            rows, kinds = _sample(len(lists), shop.split.seed), (SERVED, REFIT) if taken == "all" else (SERVED,)
            take_members(asked, lists.take(rows), states.take(rows), kinds).save(out / f"{task}.absent.npz")
        for name, found in (_newcomers(shop, engine, lists, states, task, workers) if viewed else {}).items():
            found.save(out / f"{task}.{name}.npz")
    window = {
        "release": engine.digest,
        "source": source_digest(),
        "taken": taken,
        "viewed": viewed,
        "protocol": shop.split.protocol,
        "seed": shop.split.seed,
        "effort": effort,
        "dataset": shop.counts(),
        "fit_windows": len(shop.split.fits),
        "families": {name: member.family for name, member in engine.members.items()},
        "tasks": facts,
        "costs": costs(run, engine, shop),
    }
    write_json(out / WINDOW_FILE, window)
    return window


def judged(shop: Prepared, engine: Engine, run: Finished, task: str, workers: int) -> tuple[Lists, UserStates, str]:
    """The lists of every user who came to want something, their states at the test's start, the chosen method."""
    cut = shop.split.test
    relevance = relevant(shop, cut, task)
    users = shop.users[c.USER_ID].astype(str).to_numpy()[relevance.users].astype(np.str_)
    history = HistoricalStates.load(run.features / "states" / f"{cut.name}.parquet", engine.catalogue)
    states = history.states([str(user) for user in users], cut.as_of)
    outcome = judge(engine, states, relevance, task, workers)
    return Lists(users, relevance, states.sizes, met(shop, cut), _named(outcome)), states, outcome.chosen


def _newcomers(
    shop: Prepared, engine: Engine, lists: Lists, states: UserStates, task: str, workers: int
) -> dict[str, Lists]:
    """By file: after one product viewed, and where nobody is new, of users whose past is hidden."""
    if shop.split.protocol == "leave-one-out":
        both = hide_pasts(engine, lists, states, task, shop.split.seed, workers)
        return dict(zip(("unknown", "viewed"), both, strict=True)) if both else {}
    after = take_one_view(shop, engine, lists, states, task, workers)
    return {"viewed": after} if after else {}


def _named(outcome: Outcome) -> dict[str, Any]:
    lists = {named(MEMBER, name): one.items for name, one in outcome.members.items()}
    lists |= {named(METHOD, name): one.items for name, one in outcome.methods.items()}
    return lists | {FUSED: outcome.fused.items}


def _fit(run: Finished, task: str) -> dict[str, Any]:
    """What the weights were learned from: lists, and the methods' own cross-fitted figures."""
    report = read_json(run.root / "fuse" / "fusion" / "fit_report.json")["tasks"].get(task, {})
    return {name: report.get(name) for name in ("chosen", "lists", "seconds")}


def _sample(n: int, seed: int) -> Any:
    if n <= MATRIX_USERS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=MATRIX_USERS, replace=False))


def main() -> None:
    """Judge one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--effort", default="fast", choices=("fast", "full"))
    parser.add_argument("--take", default="all", choices=get_args(Taken), help="away")
    parser.add_argument("--viewed", action="store_true", help="judge users as newcomers, after one product viewed")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    measure(Finished(options.run), options.out, options.effort, options.take, options.workers, options.viewed)


if __name__ == "__main__":
    main()
