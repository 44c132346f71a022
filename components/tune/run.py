"""Stage tune: a prepared shop in; settings, the trials behind them and a report out."""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from components.common.config import Config, Effort
from components.common.errors import ConfigError
from components.common.files import write_json, write_text
from components.common.prepared import Prepared
from components.common.settings import merged
from components.common.stage import progress, tell
from components.fuse.run import Inputs
from components.tune.fusion import fusion_search
from components.tune.inner import Inner
from components.tune.members import FAMILIES, Search, nested
from components.tune.report import Found, page
from components.tune.study import Best, Budget, run_study

REPORT_FILE, TRIALS_FILE, SETTINGS_FILE = "report.html", "trials.json", "settings.yaml"
PARTS = 4  # of the seconds: one for each family, one for fusion


class Task(Config):
    """What tuning is asked to do. seconds: of all its steps together. journal: a folder that keeps trials; or none."""

    effort: Effort = "fast"
    trials: int = 30
    seconds: float = 120.0
    seed: int = 0
    journal: str = ""

    @classmethod
    def of(cls, effort: str, trials: int, seconds: float, seed: int, journal: str) -> Self:
        """From a pipeline's parameters.

        Raises:
            ConfigError: one of them is wrong.
        """
        values = {"effort": effort, "trials": trials, "seconds": seconds, "seed": seed, "journal": journal}
        return cls.parse(values, "tune")

    def file(self, name: str) -> Path | None:
        """Where the trials of a search are kept."""
        return Path(self.journal) / f"{name}.jsonl" if self.journal else None


def tune_members(family: str, prepared: Path, embeddings: Path, out: Path, task: Task) -> str:
    """Search the numbers of every member of *family*; write report.html and trials.json.

    The seconds are shared: each search may use an equal part of what the ones before it have left.

    Args:
        family: a name of `FAMILIES`.
        prepared: folder of the prepared shop.
        embeddings: folder with text.npy.
        out: folder to write.
        task: budget and seed.

    Returns:
        Settings as JSON text: the numbers of each member for which something better than its start was found; the
        others are left to the run's own search.

    Raises:
        ConfigError: an unknown family.
    """
    if family not in FAMILIES:
        raise ConfigError(f"tune: found family {family!r}, expected one of {', '.join(FAMILIES)}.")
    shop = Prepared.load(prepared)
    out.mkdir(parents=True, exist_ok=True)
    found: list[Found] = []
    if len(shop.train(shop.split.tuning)):
        inner = Inner.of(shop, task.effort, task.seed)
        if inner.held.judges:
            found = list(_searched(list(FAMILIES[family](inner, embeddings, task.seed)), task))
    write_out(out, f"Tuning of the {family} members", found)
    return json.dumps({"members": {one.name: nested(one.best.values) for one in found if one.best.better}})


def tune_fusion(inputs: Inputs, known: Sequence[str], out: Path, task: Task) -> str:
    """Search how weights are learned; write settings.yaml with all that was found, report.html and trials.json.

    Args:
        inputs: the folders of the fuse stage; its members were trained with *known*.
        known: settings as JSON text, as `tune_members` returns them.
        out: folder to write.
        task: budget and seed.

    Returns:
        The settings as JSON text.
    """
    out.mkdir(parents=True, exist_ok=True)
    search = fusion_search(inputs, task.effort, task.seed)
    found = list(_searched([search], task)) if search else []
    write_out(out, "Tuning of the fusion", found)
    settings: dict[str, Any] = {"members": {}}
    for text in known:
        settings = merged(settings, json.loads(text))
    for one in found:
        settings = merged(settings, {"fusion": nested(one.best.values)} if one.best.better else {})
    write_text(out / SETTINGS_FILE, yaml.safe_dump(settings, sort_keys=False))
    return json.dumps(settings)


def _searched(searches: list[Search], task: Task) -> Iterator[Found]:
    deadline = time.perf_counter() + task.seconds / PARTS
    for done, search in enumerate(searches):
        share = max(deadline - time.perf_counter(), 0.0) / (len(searches) - done)
        budget = Budget(task.trials, share)
        best = run_study(search.objective, search.space, search.start, budget, task.seed, task.file(search.member))
        tell(stage="tune", kind="member", member=search.member, work="tune", seconds=_seconds(best))
        progress("tune", done + 1, len(searches))
        yield Found(search.member, best)


def _seconds(best: Best) -> float:
    return round(sum(trial.seconds for trial in best.trials), 3)


def show(settings: str, found: Path, report: Path) -> str:
    """Copy the page of *found* to where Kubeflow shows it; returns *settings*."""
    report.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found / REPORT_FILE, report)
    return settings


def write_out(out: Path, title: str, found: list[Found]) -> None:
    """The report and every trial."""
    write_text(out / REPORT_FILE, page(title, found))
    write_json(out / TRIALS_FILE, {one.name: one.facts() for one in found})
