"""Run the parts and keep their figures: `make bench-serving`, or `python -m benchmarks.serving --part throughput`."""

import argparse
import importlib
import logging
import os
from pathlib import Path

from components.common.errors import CuveeError
from components.common.files import read_json, write_json

log = logging.getLogger("benchmarks")
PARTS = ("start", "throughput", "tracing", "overload", "faults", "feast", "features", "retrieval", "rank")
BUSY = 1.0  # load average per core above which a timing would not be worth keeping


def main() -> None:
    """Measure the parts that were asked for, one after another, and write serving.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("runs/demo/store"))
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--part", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--busy", action="store_true", help="measure all the same; the figures are marked")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = asked.out / "serving.json"
    found = read_json(path) if path.exists() else {}
    for name in asked.part:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        if load > BUSY and not asked.busy:
            raise SystemExit("This machine is busy: its load is above one per core. Wait, or say --busy.")
        part = importlib.import_module(f"benchmarks.serving.{name}")
        try:
            found[name] = {"load": load} | part.measure(asked.store, asked.out / "serving")
        except CuveeError as error:
            raise SystemExit(f"{name}: {error}") from error
        write_json(path, found)
        log.info("\n%s (load %.1f per core when it began)", name, load)
        for line in part.tell(found[name]):
            log.info("%s", line)


if __name__ == "__main__":
    main()
