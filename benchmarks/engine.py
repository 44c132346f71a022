"""Latency of the engine in process, by scenario, on a published release: `make bench`."""

import argparse
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from components.common.errors import CuveeError
from components.common.files import write_json
from components.deploy.publish import champion
from serving.engine import Engine
from serving.instances import Instance, parse

log = logging.getLogger("benchmarks")
REPETITIONS, REQUESTS = 5, 200
BUSY = 1.0  # load average per core above which a timing would not be worth keeping


def requests(engine: Engine, scenario: str, seed: int = 0) -> list[Instance]:
    """Anonymous questions about items of the catalogue, drawn with *seed*."""
    rows = np.random.default_rng(seed).integers(0, len(engine.catalogue), REQUESTS)
    ids, titles = engine.catalogue.ids, engine.catalogue.items["title"]
    fields: dict[str, Callable[[int], dict[str, Any]]] = {
        "recommend": lambda _: {},
        "similar": lambda row: {"item_id": ids[row]},
        "search": lambda row: {"query": str(titles[row])[:200]},
        "bundle": lambda row: {"item_ids": [ids[row]]},
    }
    return [parse({"scenario": scenario, "k": 10} | fields[scenario](row)) for row in rows]


def time_scenario(engine: Engine, instances: list[Instance]) -> dict[str, float]:
    """Milliseconds of one request: median and 99th percentile, medians over the repetitions."""
    medians, tails = [], []
    for _ in range(REPETITIONS):
        taken = []
        for instance in instances:
            started = time.perf_counter()
            engine.answer([instance], None, engine.as_of)
            taken.append((time.perf_counter() - started) * 1e3)
        medians.append(np.median(taken))
        tails.append(np.percentile(taken, 99))
    return {"p50_ms": float(np.median(medians)), "p99_ms": float(np.median(tails))}


def plot(result: dict[str, dict[str, float]], path: Path) -> None:
    """Bars of the medians, with the tail above."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(list(result), [values["p99_ms"] for values in result.values()], color="#cfd8dc", label="p99")
    axes.bar(list(result), [values["p50_ms"] for values in result.values()], color="#5e548e", label="p50")
    axes.set_ylabel("ms a request")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure and write engine.json and engine.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if os.getloadavg()[0] / (os.cpu_count() or 1) > BUSY:
        raise SystemExit("This machine is busy: its load is above one per core. Wait, then measure.")
    release = champion(options.store)
    if release is None:
        raise CuveeError(f"{options.store} holds no published release. Run `make demo` first.")
    engine = Engine.load(release)
    scenarios = ("recommend", "search", "similar", "bundle")
    result = {scenario: time_scenario(engine, requests(engine, scenario)) for scenario in scenarios}
    options.out.mkdir(parents=True, exist_ok=True)
    facts = {"release": engine.digest, "items": len(engine.catalogue), "members": list(engine.members)}
    write_json(options.out / "engine.json", facts | {"scenarios": result})
    plot(result, options.out / "engine.png")
    for scenario, values in result.items():
        log.info("%-10s p50 %.2f ms  p99 %.2f ms", scenario, values["p50_ms"], values["p99_ms"])


if __name__ == "__main__":
    main()
