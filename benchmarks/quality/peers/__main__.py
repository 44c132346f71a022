"""Run peers on a case: `python -m benchmarks.quality.peers --case DIR --out DIR [--only a,b] [--trials N] ...`.

Each peer runs in a process of its own, with this Python where it has the peer's package, else with that of
`.venv-bench` (`make install-bench`). What is finished is skipped; what fails says why in its <peer>.json.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.quality.peers.base import Peer
from benchmarks.quality.peers.known import PEERS
from components.common.errors import ConfigError
from components.common.files import read_json, write_json

log = logging.getLogger("benchmarks")
ROOT = Path(__file__).resolve().parents[3]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
TRIALS, SECONDS, LIMIT = 12, 120.0, 1500.0
FAILED = "failed"
TAIL = 400  # characters of a failure that are kept
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
ENVIRONMENT = ONE_THREAD | {"LK_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Budget:
    """What each peer may spend.

    trials, seconds (of processor time): tuning ends at whichever comes first. limit: seconds after which a peer is
    ended. params: a folder of finished peers whose numbers are used without tuning, None to tune.
    """

    trials: int = TRIALS
    seconds: float = SECONDS
    limit: float = LIMIT
    params: Path | None = None


def run_peers(case: Path, out: Path, only: tuple[str, ...] = (), budget: Budget | None = None) -> dict[str, Any]:
    """Run the peers of a case's task one after another.

    Args:
        case: a folder that `write_case` wrote.
        out: where <peer>.npz and <peer>.json go.
        only: names of peers; none: all that can do the task and are not slow.
        budget: what each may spend.

    Returns:
        By peer, what its JSON says.

    Raises:
        ConfigError: an unknown name.
    """
    unknown = sorted(set(only) - set(PEERS))
    if unknown:
        raise ConfigError(f"peers: found {', '.join(unknown)}, expected some of {', '.join(PEERS)}.")
    task = read_json(case / "case.json")["task"]
    out.mkdir(parents=True, exist_ok=True)
    chosen = [PEERS[name] for name in only] or [peer for peer in PEERS.values() if not peer.slow]
    return {peer.name: _one(peer, case, out, budget or Budget()) for peer in chosen if task in peer.tasks}


def _one(peer: Peer, case: Path, out: Path, budget: Budget) -> dict[str, Any]:
    path = out / f"{peer.name}.json"
    asked = _asked(peer, case, out, budget)
    done: dict[str, Any] = read_json(path) if path.exists() else {}
    if not done or FAILED in done or done.get("asked") != asked:
        reason = _process(peer, asked, budget.limit)
        done = {"peer": peer.name, FAILED: reason} if reason else read_json(path)
        done["asked"] = asked
        write_json(path, done)
    log.info("%s", line(done))
    return done


def _asked(peer: Peer, case: Path, out: Path, budget: Budget) -> dict[str, Any]:
    params = None
    if budget.params is not None:
        found = budget.params / f"{peer.name}.json"
        params = read_json(found).get("params") if found.exists() else None
    folders = {"case": str(case.resolve()), "out": str(out.resolve())}
    return folders | {"peer": peer.name, "trials": budget.trials, "seconds": budget.seconds, "params": params}


def _process(peer: Peer, asked: dict[str, Any], limit: float) -> str:
    """Why the peer failed; empty where it did not."""
    python = python_for(peer)
    if python is None:
        return f"{peer.package} is not installed; `make install-bench` makes .venv-bench, which has it."
    command = [str(python), "-m", "benchmarks.quality.peers.work", json.dumps(asked)]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {limit:.0f} s"
    told = ended.stderr.strip().splitlines() or ["it said nothing"]
    return f"exit {ended.returncode}: {told[-1][-TAIL:]}" if ended.returncode else ""


def python_for(peer: Peer) -> Path | None:
    """The interpreter that has the peer's package; None without one."""
    if find_spec(peer.module) is not None:
        return Path(sys.executable)
    return BENCH_PYTHON if BENCH_PYTHON.exists() else None


def line(done: dict[str, Any]) -> str:
    """One peer in one line."""
    if FAILED in done:
        return f"{done['peer']:<22} failed: {' '.join(done[FAILED].split())}"
    tried = max((trial["ndcg@10"] for trial in done["trials"]), default=None)
    inner = f"inner NDCG@10 {tried:.4f}" if tried is not None else "params given    "
    times = f"fit {done['fit_seconds']:.1f} s, lists {done['score_seconds']:.1f} s, {done['peak_mb']:.0f} MB"
    return f"{done['peer']:<22} {inner}, {len(done['trials'])} trials in {done['tune_seconds']:.0f} s, {times}"


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Run peers on a case.")
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="names, comma-separated")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds after which a peer is ended")
    parser.add_argument("--params", type=Path, help="folder of finished peers: use their numbers, do not tune")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    only = tuple(name for name in options.only.split(",") if name)
    run_peers(options.case, options.out, only, Budget(options.trials, options.seconds, options.limit, options.params))


if __name__ == "__main__":
    main()
