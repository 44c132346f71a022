"""Run the cases: every window's steps, its judging and its peers; nothing that is finished is done again."""

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.quality.absent import Taken
from benchmarks.quality.case import write_case
from benchmarks.quality.measure import WINDOW_FILE, Finished
from benchmarks.quality.report import TASKS, case_report, conditions, curve_report
from benchmarks.quality.shops import Case, earlier, of_users, tables, without_past
from benchmarks.quality.steps import Kept, composition, source_digest, start
from components.common.config import Effort
from components.common.errors import CuveeError
from components.common.files import read_json, sha256, write_json
from components.common.identity import KEY_VARIABLE
from components.common.prepared import EVENTS_FILE, ITEMS_FILE, SPLIT_FILE
from serving.release import MANIFEST_FILE

log = logging.getLogger("benchmarks")
CHECKED = ("validate", "checked")
PUBLIC_KEY = "a key for public data"  # pseudonyms of published data sets hide nothing: one key, one order of folders
JUDGED, TEST, QUALITY_FILE, SHOP_FILE = "judged", "test", "quality.json", "prepared.sha256"


Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Options:
    """What to run.

    jobs: windows of all cases (then tasks of their peers) at once. trials, seconds: with which each peer tunes itself,
    0 trials = no peers. only: names of peers, comma-separated; none: all but the slow ones. absences: take members
    away too. any_code: keep steps that another version of the code finished.
    """

    out: Path
    effort: Effort = "full"
    seed: int = 0
    jobs: int = 2
    trials: int = 12
    seconds: int = 40
    only: str = ""
    absences: bool = True
    any_code: bool = False


@dataclass(frozen=True)
class Window:
    """One window of a case, or one share of its users.

    name: its folder. checked: its tables. taken: what is taken away when it is judged.
    """

    case: Case
    name: str
    checked: Path
    effort: Effort
    taken: Taken


@dataclass(frozen=True)
class Plan:
    """What a case consists of: its windows, the newest first, and the shares of its users."""

    case: Case
    out: Path
    windows: list[Window]
    shares: dict[str, Window]

    @property
    def jobs(self) -> list[Window]:
        """The windows and shares to run, each once."""
        return [*self.windows, *(share for share in self.shares.values() if share not in self.windows)]

    @property
    def folders(self) -> list[Path]:
        """Folders of the windows."""
        return [self.out / window.name for window in self.windows]

    @property
    def tasks(self) -> list[str]:
        """The tasks that every window was judged by."""
        return [task for task in TASKS if all((one / JUDGED / f"{task}.npz").exists() for one in self.folders)]


def plan(case: Case, options: Options) -> Plan:
    """The windows and shares of a case, their tables written."""
    out = options.out / case.name
    checked = _checked(case, out, options)
    effort = case.effort or options.effort
    windows = [
        Window(case, f"window_{back}", _past(case, checked, out, back, options), effort, _taken(case, back, options))
        for back in range(case.windows)
    ]
    shares = {}
    for share in case.curve:
        name = f"{share:g}"
        if share == 1 and effort == "fast":
            shares[name] = windows[0]
            continue
        tables_of = of_users(checked, out / f"tables_share_{name}_seed_{options.seed}", share, options.seed)
        shares[name] = Window(case, f"share_{name}", tables_of, "fast", "nothing")
    return Plan(case, out, windows, shares)


def _past(case: Case, checked: Path, out: Path, back: int, options: Options) -> Path:
    """The tables as they were *back* windows ago, as far as the case knows the past."""
    tables_then = earlier(checked, out / f"tables_{back}", back)
    if not case.newcomers:
        return tables_then
    return without_past(tables_then, out / f"tables_{back}_newcomers", case.newcomers, options.seed)


def _taken(case: Case, back: int, options: Options) -> Taken:
    """What is taken away in every window; every single member with a new fit in the newest alone: it takes longest."""
    if not options.absences:
        return "nothing"
    if case.brief:
        return "families" if case.families else "nothing"
    return "served" if back else "all"


def case_figures(plan: Plan, options: Options) -> dict[str, Any]:
    """Every figure of a case whose windows are judged and whose peers have answered."""
    found = case_report([folder / JUDGED for folder in plan.folders], options.seed)
    judged = {name: plan.out / window.name / JUDGED for name, window in plan.shares.items()}
    found["curve"] = curve_report(judged, options.seed) if judged else None
    return found


def _checked(case: Case, out: Path, options: Options) -> Path:
    """The shop's tables behind ingest and validate; where they are made anew, all that was made of them goes."""
    kept = Kept(out / "door", {}, _environment(case), options.any_code)
    arguments = {"data": tables(case, out), "store": str((out / "store").resolve())}
    kept.run(composition(arguments, last=(CHECKED[0],)))
    if kept.ran:
        for folder in (path for name in ("tables_*", "window_*", "share_*") for path in out.glob(name)):
            shutil.rmtree(folder)
    return kept.path(CHECKED)


def run_window(window: Window, folder: Path, options: Options) -> set[str]:
    """Run the steps of one window and judge it; returns the digests of the code that did it."""
    log.info("%s %s: steps", window.case.name, window.name)
    kept = Kept(folder.resolve(), {CHECKED: window.checked.resolve()}, _environment(window.case), options.any_code)
    arguments = {"protocol": window.case.protocol, "effort": window.effort, "seed": options.seed}
    kept.run(composition(arguments, given=kept.given))
    judged = folder / JUDGED
    if not _is_judged(window, folder, judged, options.any_code):
        log.info("%s %s: judging", window.case.name, window.name)
        _judge(window, folder, judged)
    return kept.sources | {str(read_json(judged / WINDOW_FILE)["source"])}


def _environment(case: Case) -> dict[str, str]:
    return {KEY_VARIABLE: PUBLIC_KEY} if case.public else {}


def _is_judged(window: Window, folder: Path, judged: Path, any_code: bool) -> bool:
    """Was this very release judged, and by this very code."""
    if not (judged / WINDOW_FILE).exists():
        return False
    facts = read_json(judged / WINDOW_FILE)
    release = read_json(Finished(folder).release / MANIFEST_FILE)["release"]
    same = (any_code or facts["source"] == source_digest()) and facts["release"] == release
    viewed = facts.get("viewed", False) or not window.case.viewed
    return bool(same and viewed and facts["taken"] in ("all", window.taken))


def _judge(window: Window, folder: Path, judged: Path) -> None:
    (judged / WINDOW_FILE).unlink(missing_ok=True)
    judged.mkdir(parents=True, exist_ok=True)
    arguments = [str(Finished(folder).root.resolve()), str(judged.resolve())]
    arguments += ["--effort", window.effort, "--take", window.taken, *(["--viewed"] if window.case.viewed else [])]
    code = start("benchmarks.quality.measure", arguments, judged / "log.txt")
    if code:
        raise CuveeError(f"Judging {folder} failed (exit code {code}). The log is {judged / 'log.txt'}.")


def ask_peers(windows: list[Path], task: str, options: Options) -> None:
    """Let every peer tune itself on the oldest window and rank the users of all; a failure is told in its own JSON.

    Args:
        windows: folders of the windows, the newest first.
        task: of one task.
        options: the peers' budget.
    """
    tuned: Path | None = None
    for folder in reversed(windows):
        out = folder / JUDGED / "peers" / task
        log.info("%s %s: peers of %s", folder.parent.name, folder.name, task)
        _ask(folder, out, task, options, tuned)
        tuned = tuned or out


def _ask(folder: Path, out: Path, task: str, options: Options, tuned: Path | None) -> None:
    case, prepared = out / "case", Finished(folder).prepared
    shop = {name: sha256(prepared / name) for name in (EVENTS_FILE, ITEMS_FILE, SPLIT_FILE)}
    if not (out / SHOP_FILE).exists() or read_json(out / SHOP_FILE) != shop:
        shutil.rmtree(out, ignore_errors=True)  # what the peers answered was another shop
        write_case(prepared, TEST, task, case)
        write_json(out / SHOP_FILE, shop)
    arguments = ["--case", str(case.resolve()), "--out", str(out.resolve()), "--only", options.only]
    arguments += ["--trials", str(options.trials), "--seconds", str(options.seconds)]
    arguments += ["--params", str(tuned.resolve())] if tuned else []
    code = start("benchmarks.quality.peers", arguments, out / "log.txt")
    if code:
        raise CuveeError(f"The peers of {folder} failed (exit code {code}). The log is {out / 'log.txt'}.")


def run(cases: list[Case], options: Options) -> dict[str, Any]:
    """Run the cases and write quality.json; cases that an earlier run with the same effort and seed left stay in it."""
    path = options.out / QUALITY_FILE
    found = _kept(path, options)
    plans = [plan(case, options) for case in cases]
    windows = [(one, window) for one in plans for window in one.jobs]
    with ThreadPoolExecutor(options.jobs) as threads:
        sources = _all(threads, lambda job: run_window(job[1], job[0].out / job[1].name, options), windows)
        if options.trials:
            tasks = [(one, task) for one in plans if not one.case.brief for task in one.tasks]
            _all(threads, lambda job: ask_peers(job[0].folders, job[1], options), tasks)
    for one in plans:
        made = (source for (of, _), source in zip(windows, sources, strict=True) if of is one)
        found[one.case.name] = case_figures(one, options) | {"sources": sorted(set().union(*made))}
    every = {source for case in found.values() for source in case["sources"]}
    quality = {"conditions": conditions(options.seed, options.effort, every), "cases": found, "check": None}
    write_json(path, quality)
    return quality


def _all(threads: ThreadPoolExecutor, work: Callable[[Job], Result], jobs: list[Job]) -> list[Result]:
    """The results of all jobs, in order; the first failure stops those that have not begun."""
    futures = [threads.submit(work, job) for job in jobs]
    try:
        return [future.result() for future in futures]
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        raise


def _kept(path: Path, options: Options) -> dict[str, Any]:
    quality = read_json(path) if path.exists() else {"conditions": {}, "cases": {}}
    same = {"seed": options.seed, "effort": options.effort}
    return dict(quality["cases"]) if quality["conditions"].items() >= same.items() else {}
