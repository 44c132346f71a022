"""Requests a second and latency at 1, 8, 32 and 128 connections, against KServe with a model that does nothing."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.load import Figures, wrk
from benchmarks.serving.servers import noop, ours

CONNECTIONS = (1, 8, 32, 128)
REPETITIONS, SECONDS, WARM_S = 5, 4.0, 2.0
DEFAULT, QUIET, HEAVY, OURS = "KServe no-op", "KServe no-op, logs off", "Cuvee, KServe's own way", "Cuvee"


def measure(store: Path, out: Path, repetitions: int = REPETITIONS, seconds: float = SECONDS) -> dict[str, Any]:
    """Medians over interleaved *repetitions* by server and number of connections, and their ratios to the no-op.

    All servers run at once and are asked in turn, so that what else the machine does meets all alike.
    """
    folder = out / "throughput"
    with ExitStack() as stack:
        urls = {
            DEFAULT: stack.enter_context(noop(folder / "noop.log", quiet=False)),
            QUIET: stack.enter_context(noop(folder / "noop_quiet.log", quiet=True)),
            HEAVY: stack.enter_context(ours(store, folder / "heavy.log", light=False))[0],
            OURS: stack.enter_context(ours(store, folder / "cuvee.log"))[0],
        }
        for url in urls.values():
            wrk(url, 8, WARM_S, folder)
        runs: dict[str, dict[int, list[Figures]]] = {name: {count: [] for count in CONNECTIONS} for name in urls}
        for _ in range(repetitions):
            for count in CONNECTIONS:
                for name, url in urls.items():
                    runs[name][count].append(wrk(url, count, seconds, folder))
    found = {name: {str(count): _median(one) for count, one in by.items()} for name, by in runs.items()}
    ratios = {
        str(count): {
            "throughput": _ratio(runs, OURS, DEFAULT, count, "per_s"),
            "throughput_logs_off": _ratio(runs, OURS, QUIET, count, "per_s"),
            "throughput_own_way": _ratio(runs, OURS, HEAVY, count, "per_s"),
            "p99": _ratio(runs, OURS, DEFAULT, count, "p99_ms"),
        }
        for count in CONNECTIONS
    }
    return {"servers": found, "ratios": ratios, "repetitions": repetitions, "seconds": seconds}


def _median(runs: list[Figures]) -> Figures:
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def _ratio(runs: dict[str, dict[int, list[Figures]]], one: str, other: str, count: int, name: str) -> float:
    """Median over the repetitions of the ratio within each."""
    pairs = zip(runs[one][count], runs[other][count], strict=True)
    return float(np.median([mine[name] / theirs[name] for mine, theirs in pairs]))


def tell(found: dict[str, Any]) -> list[str]:
    """A Markdown table and the ratios."""
    lines = ["| server | " + " | ".join(f"{count} at once" for count in CONNECTIONS) + " |", "|---|" + "---|" * 4]
    for name, by in found["servers"].items():
        cells = [f"{one['per_s']:.0f}/s, {one['p50_ms']:.1f} / {one['p99_ms']:.1f} ms" for one in by.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for count, ratios in found["ratios"].items():
        told = ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
        lines.append(f"Cuvee at {count} connections as a share of the no-op's: {told}")
    bad = sum(one["bad"] + one["broken"] for one in found["servers"][OURS].values())
    lines.append(f"Errors and broken connections of Cuvee (median runs): {bad:.0f}")
    return lines
