"""Answers a second and latency at 1, 8, 32 and 128 connections, against KServe with a model that does nothing."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.load import Figures, wrk
from benchmarks.serving.servers import cpu_s, idle, naive, noop, ours

CONNECTIONS = (1, 8, 32, 128)
REPETITIONS, SECONDS, WARM_S = 5, 4.0, 2.0
DEFAULT, QUIET, LIGHT = "KServe no-op", "KServe no-op, logs off", "KServe no-op, our door and shortcut"
HEAVY, OURS = "Cuvee, KServe's own way", "Cuvee"
NAIVE = "Feast, keras.predict and KServe"
Runs = dict[str, dict[int, list[Figures]]]  # by server and number of connections, a figure a repetition


def measure(store: Path, out: Path, repetitions: int = REPETITIONS, seconds: float = SECONDS) -> dict[str, Any]:
    """Medians over interleaved *repetitions* by server and number of connections, and their ratios to the no-op.

    All servers run at once and are asked in turn, so that what else the machine does meets all alike.
    """
    folder = out / "throughput"
    with ExitStack() as stack:
        servers = {
            DEFAULT: stack.enter_context(noop(folder / "noop.log")),
            QUIET: stack.enter_context(noop(folder / "noop_quiet.log", "quiet")),
            LIGHT: stack.enter_context(noop(folder / "noop_light.log", "light")),
            HEAVY: stack.enter_context(ours(store, folder / "heavy.log", light=False)),
            NAIVE: stack.enter_context(naive(store, folder / "naive.log")),
            OURS: stack.enter_context(ours(store, folder / "cuvee.log")),
        }
        runs = in_turn(servers, CONNECTIONS, repetitions, seconds, folder)
    found = {name: {str(count): median(one) for count, one in by.items()} for name, by in runs.items()}
    ratios = {
        str(count): {
            "throughput": ratio(runs, OURS, DEFAULT, count, "per_s"),
            "throughput_of_the_light_noop": ratio(runs, LIGHT, DEFAULT, count, "per_s"),
            "throughput_logs_off": ratio(runs, OURS, QUIET, count, "per_s"),
            "throughput_own_way": ratio(runs, OURS, HEAVY, count, "per_s"),
            "throughput_of_the_naive": ratio(runs, OURS, NAIVE, count, "per_s"),
            "p99": ratio(runs, OURS, DEFAULT, count, "p99_ms"),
            "work": ratio(runs, OURS, DEFAULT, count, "cpu_ms"),
        }
        for count in CONNECTIONS
    }
    return {"servers": found, "ratios": ratios, "repetitions": repetitions, "seconds": seconds}


def in_turn(
    servers: Mapping[str, tuple[str, int]], connections: Sequence[int], repetitions: int, seconds: float, folder: Path
) -> Runs:
    """What each of *servers* (URL, process id), warm, tells over *connections*; asked in turn in every repetition."""
    for url, pid in servers.values():
        wrk(url, 8, WARM_S, folder)
        idle(pid)
    runs: Runs = {name: {count: [] for count in connections} for name in servers}
    for _ in range(repetitions):
        for count in connections:
            for name, (url, pid) in servers.items():
                runs[name][count].append(_run(url, pid, count, seconds, folder))
    return runs


def _run(url: str, pid: int, count: int, seconds: float, folder: Path) -> Figures:
    """What wrk tells, and milliseconds that the server worked for one answer, which hangs less on its load.

    What wrk leaves behind is answered before this returns, else it would be measured with the next server.
    """
    before = cpu_s(pid)
    found = wrk(url, count, seconds, folder)
    worked = cpu_s(pid) - before
    idle(pid)
    return found | {"cpu_ms": worked / max(found["requests"] - found["bad"], 1) * 1e3}


def median(runs: list[Figures]) -> Figures:
    """Of each figure over repetitions."""
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def ratio(runs: Runs, one: str, other: str, count: int, name: str) -> float:
    """Median over the repetitions of the ratio within each."""
    pairs = zip(runs[one][count], runs[other][count], strict=True)
    return float(np.median([mine[name] / theirs[name] for mine, theirs in pairs]))


def tell(found: dict[str, Any]) -> list[str]:
    """A Markdown table and the ratios."""
    lines = ["| server | " + " | ".join(f"{count} at once" for count in CONNECTIONS) + " |", "|---|" + "---|" * 4]
    for name, by in found["servers"].items():
        cells = [
            f"{one['per_s']:.0f}/s, {one['p50_ms']:.1f} / {one['p99_ms']:.1f} ms, work {one['cpu_ms']:.2f}"
            for one in by.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for count, ratios in found["ratios"].items():
        told = ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
        lines.append(f"Cuvee at {count} connections as a share of the no-op's: {told}")
    bad = sum(one["bad"] + one["broken"] for one in found["servers"][OURS].values())
    lines.append(f"Errors and broken connections of Cuvee (median runs): {bad:.0f}")
    return lines
