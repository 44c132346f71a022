"""One peer on one case, in a process of its own: `python -m benchmarks.quality.peers.work ASKED_JSON`.

ASKED_JSON: {"peer", "case", "out", "trials", "seconds", "params": null or what to use without tuning}.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.peers.base import CannotRunError, Params, Peer
from benchmarks.quality.peers.known import PEERS
from benchmarks.quality.peers.problem import Labelled, Problem, lists, load_case
from benchmarks.quality.peers.tune import Trial, best, search
from components.common.files import write_json

PROC_STATUS = Path("/proc/self/status")
MEMORY = "VmHWM:"


def work(asked: dict[str, Any]) -> None:
    """Tune, fit, list; write <peer>.npz, then <peer>.json."""
    peer, out = PEERS[asked["peer"]], Path(asked["out"])
    problem, inner = load_case(Path(asked["case"]))
    try:
        result = _run(peer, problem, inner, asked, out)
    except CannotRunError as reason:
        result = {"failed": str(reason)}
    facts = {"peer": peer.name, "package": peer.package, "version": version(peer.package)}
    budget = {"trials": asked["trials"], "seconds": asked["seconds"]}
    write_json(out / f"{peer.name}.json", facts | {"budget": budget, "peak_mb": _peak_mb()} | result)


def _run(peer: Peer, problem: Problem, inner: Labelled, asked: dict[str, Any], out: Path) -> dict[str, Any]:
    trials = [] if asked["params"] else tuned(peer, inner, asked["trials"], asked["seconds"])
    params = asked["params"] or best(trials).params
    started = time.perf_counter()
    fitted = peer.fit(problem, params, inner)
    fit_seconds = time.perf_counter() - started
    started = time.perf_counter()
    listed = lists(problem, fitted.score)
    score_seconds = time.perf_counter() - started
    np.savez(out / f"{peer.name}.npz", items=listed)
    return {
        "params": params,
        "trials": [{"params": t.params, "ndcg@10": t.ndcg, "seconds": round(t.seconds, 3)} for t in trials],
        "tune_seconds": round(sum(trial.seconds for trial in trials), 3),
        "fit_seconds": round(fit_seconds, 3),
        "score_seconds": round(score_seconds, 3),
        "parameters": int(fitted.parameters),
    }


def tuned(peer: Peer, inner: Labelled, trials: int, seconds: float) -> list[Trial]:
    """What the search tried; a peer that learns from answers is taught by half of the users, judged by the others."""
    lessons, exam = inner.halves() if peer.supervised else (inner, inner)

    def evaluate(params: Params) -> float:
        fitted = peer.fit(exam.problem, params, lessons)
        return float(np.nanmean(exam.ndcg(lists(exam.problem, fitted.score))))

    return search(peer.space(inner.problem), evaluate, trials, seconds, inner.problem.seed)


def _peak_mb() -> float:
    """The most memory this process has held, tuning included."""
    line = next(line for line in PROC_STATUS.read_text(encoding="ascii").splitlines() if line.startswith(MEMORY))
    return round(int(line.split()[1]) / 1024, 1)


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
