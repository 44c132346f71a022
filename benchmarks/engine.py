"""Latency of the engine in process by scenario and by step, and users a second in batches: `make bench`.

On a published release, and on made shops of growing size (see benchmarks.made_shop), each in a process of its own.
"""

import argparse
import logging
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.by_numpy import by_numpy
from benchmarks.made_shop import made_engine, made_users
from benchmarks.yardstick import slower, yardstick_ms
from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.deploy.publish import champion
from serving.arrays import Ints
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.hidden import Hidden
from serving.instances import Instance, parse
from serving.members.base import Member
from serving.opinion import Rows
from serving.queries import RECOMMEND, Queries
from serving.ranking import judged, shown

if TYPE_CHECKING:
    from serving.features import StatePort

log = logging.getLogger("benchmarks")
REPETITIONS, REQUESTS, USERS = 5, 200, 1024
FEW = 9  # times that the yardstick is taken before each repetition
BUSY = 1.0  # load average per core above which a timing would not be worth keeping
MADE = (12_000, 100_000, 1_000_000)
STEPS = ("states", "recall", "features", "blend", "why")
BEHAVIOUR = Path("sources") / "user_behaviour.parquet"
Found = dict[str, Any]


def requests(engine: Engine, users: Sequence[str], seed: int = 0) -> dict[str, list[Instance]]:
    """By scenario questions of known users, of a stranger, and about items of the catalogue, drawn with *seed*."""
    rng = np.random.default_rng(seed)
    rows, who = rng.integers(0, len(engine.catalogue), REQUESTS), rng.integers(0, len(users), REQUESTS)
    ids, titles = engine.catalogue.ids, engine.catalogue.items["title"]
    fields: dict[str, Callable[[int, int], Found]] = {
        "recommend": lambda _, user: {"user_id": users[user]},
        "recommend new": lambda _, user: {"user_id": users[user], "context": {"new_only": True}},
        "recommend stranger": lambda _row, _user: {},
        "similar": lambda row, _: {"item_id": ids[row]},
        "bundle": lambda row, _: {"item_ids": [ids[row]]},
        "search": lambda row, _: {"query": str(titles[row])[:200]},
    }
    asked = {}
    for name, made in fields.items():
        if engine.serves(name.split()[0]):
            whole = ({"scenario": name.split()[0], "k": 10} | made(*pair) for pair in zip(rows, who, strict=True))
            asked[name] = [parse(one) for one in whole]
    return asked


def time_scenario(engine: Engine, instances: list[Instance], port: "StatePort") -> dict[str, float]:
    """Milliseconds of one request: median and 99th percentile, and the median of its work on the processor.

    slower: how many times as long as on the machine of the goals anything took here meanwhile, by the yardstick.
    """
    medians, tails, work, rates = [], [], [], []
    for _ in range(REPETITIONS):
        rates.append(slower(yardstick_ms(FEW)))
        taken, worked = [], []
        for instance in instances:
            started, busy = time.perf_counter(), time.thread_time()
            engine.answer([instance], port, engine.as_of)
            worked.append((time.thread_time() - busy) * 1e3)
            taken.append((time.perf_counter() - started) * 1e3)
        medians.append(np.median(taken))
        tails.append(np.percentile(taken, 99))
        work.append(np.median(worked))
    found: dict[str, list[Any]] = {"p50_ms": medians, "p99_ms": tails, "cpu_ms": work, "slower": rates}
    there = np.median(np.array(medians) / np.array(rates))
    return {name: float(np.median(one)) for name, one in found.items()} | {"p50_there_ms": float(there)}


def time_steps(engine: Engine, users: Sequence[str], port: "StatePort") -> dict[str, float]:
    """Median milliseconds of work of the steps of one recommendation, one after another."""
    task, found = engine.task(RECOMMEND), []
    for user in list(users)[:REQUESTS] * 2:
        marks = [time.thread_time()]
        queries = engine.queries(RECOMMEND, port.states([user], engine.as_of))
        marks.append(time.thread_time())
        said, _ = engine.bearable_scores(queries, task)
        marks.append(time.thread_time())
        pool = engine.pool_of(queries, said, task)
        _ = pool.evidence.rows
        marks.append(time.thread_time())
        assert engine.fusion is not None
        verdict = judged(pool, engine.fusion.blend(task))
        marks.append(time.thread_time())
        shown(pool, verdict, 10)
        marks.append(time.thread_time())
        found.append(np.diff(marks) * 1e3)
    return dict(zip(STEPS, np.median(found[len(found) // 2 :], axis=0).tolist(), strict=True))


def time_batch(engine: Engine, users: Sequence[str], port: "StatePort") -> Found:
    """Users a second by the whole blend in one batch, how far that is from single requests, and by CF alone.

    A second of one core, and of all cores at once: as many processes, each of which answers all users.
    """
    instances = [parse({"scenario": "recommend", "user_id": user, "k": 20}) for user in users]
    member = engine.members["als"] if "als" in engine.members else engine.members["pca"]
    states = port.states(users, engine.as_of)
    pieces = [Queries(RECOMMEND, states.take(rows)) for rows in np.array_split(np.arange(len(states)), 8)]

    def blend() -> list[Found]:
        return engine.answer(instances, port, engine.as_of)

    def cf() -> None:
        for piece in pieces:
            best_of(member, piece, len(engine.catalogue), 20)

    whole = blend()
    single = [engine.answer([instance], port, engine.as_of)[0] for instance in instances[:REQUESTS]]
    furthest, moved = _difference(single, whole)
    found: Found = {"furthest": furthest, "moved": moved}
    for name, work in (("", blend), ("cf_", cf)):
        rates = [slower(yardstick_ms(FEW))]
        found[f"{name}users_a_second"] = len(users) / _work_of(work)
        rates.append(slower(yardstick_ms(FEW)))
        found[f"{name}users_a_second_of_all_cores"] = len(users) / _each_of_all(work)
        rates.append(slower(yardstick_ms(FEW)))
        found[f"{name}slower"] = float(np.median(rates))
    return found


def work_by_numpy(engine: Engine, instances: list[Instance], port: "StatePort", together: int) -> float:
    """Work with the compiled loops as a share of that without, batches of *together* asked by turns; the middle one."""
    shares = []
    for start in range(0, len(instances), together):
        piece, seconds = instances[start : start + together], []
        for without in (by_numpy, nullcontext) * REPETITIONS:
            with without():
                started = time.thread_time()
                engine.answer(piece, port, engine.as_of)
                seconds.append(time.thread_time() - started)
        shares.append(np.median(seconds[1::2]) / np.median(seconds[::2]))
    return float(np.median(shares))


def best_of(member: Member, queries: Queries, n_items: int, k: int) -> Ints:
    """(n, k) the best of one member alone, as the engine asks it."""
    told = member.opinion(queries, Hidden.nothing(n_items)) if member.prompt else None
    return (told or Rows(member.score_all(queries))).best(k)


def _work_of(work: Callable[[], Any]) -> float:
    """Seconds of one core: the middle of three."""
    seconds = []
    for _ in range(3):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return float(np.median(seconds))


def _each_of_all(work: Callable[[], Any]) -> float:
    """Seconds by the clock for one *work*, of as many processes as there are cores that do it at once."""
    cores, forked = os.cpu_count() or 1, multiprocessing.get_context("fork")
    ready, found = forked.Barrier(cores), forked.SimpleQueue()

    def timed() -> None:
        work()
        ready.wait()
        started = time.perf_counter()
        for _ in range(3):
            work()
        found.put(time.perf_counter() - started)

    workers = [forked.Process(target=timed) for _ in range(cores)]
    for worker in workers:
        worker.start()
    longest = max(float(found.get()) for _ in workers)
    for worker in workers:
        worker.join()
    return longest / (3 * cores)


def _difference(single: list[Found], batch: list[Found]) -> tuple[float, int]:
    """The furthest that a score differs, and how many lists name other items or another order."""
    furthest, moved = 0.0, 0
    for one, other in zip(single, batch, strict=False):
        scores = {item["item_id"]: item["score"] for item in other["items"]}
        moved += [item["item_id"] for item in one["items"]] != list(scores)
        gaps = [abs(item["score"] - scores[item["item_id"]]) for item in one["items"] if item["item_id"] in scores]
        furthest = max([furthest, *gaps])
    return furthest, moved


def measure(engine: Engine, users: Sequence[str], port: "StatePort") -> Found:
    """All figures of one engine."""
    asked = requests(engine, users)
    for instances in asked.values():
        for instance in instances[:20]:
            engine.answer([instance], port, engine.as_of)
    return {
        "items": len(engine.catalogue),
        "members": list(engine.members),
        "scenarios": {name: time_scenario(engine, instances, port) for name, instances in asked.items()},
        "steps": time_steps(engine, users, port),
        "batch": time_batch(engine, users, port),
        "share_of_numpy": {str(many): work_by_numpy(engine, asked["recommend"], port, many) for many in (1, 32)},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def of_release(store: Path) -> Found:
    """The figures of the published release, asked by users of its store."""
    release = champion(store)
    if release is None:
        raise CuveeError(f"{store} holds no published release. Run `make demo` first.")
    engine = Engine.load(release)
    known = HistoricalStates.load(store / BEHAVIOUR, engine.catalogue)
    users = np.random.default_rng(0).permutation(np.array(known.user_ids))[:USERS].tolist()
    return {"release": engine.digest} | measure(engine, users, known)


def of_made(n_items: int) -> Found:
    """The figures of a made shop."""
    port = made_users(n_items, USERS)
    return measure(made_engine(n_items), port.users.user_ids, port)


def tell(name: str, found: Found) -> None:
    """One line for each scenario, one for the steps, one for the batch."""
    log.info("%s: %d items, members %s", name, found["items"], ", ".join(found["members"]))
    for scenario, values in found["scenarios"].items():
        told = "  ".join(f"{key.removesuffix('_ms')} {values[key]:.2f}" for key in ("p50_ms", "p99_ms", "cpu_ms"))
        there = f"p50 {values['p50_there_ms']:.2f} where the yardstick is 1 ({values['slower']:.2f} here)"
        log.info("  %-20s %s ms; %s", scenario, told, there)
    log.info("  steps of recommend: %s", "  ".join(f"{step} {found['steps'][step]:.2f}" for step in STEPS))
    batch = found["batch"]
    for what, name in (("batch", ""), ("CF alone", "cf_")):
        pair = batch[f"{name}users_a_second"], batch[f"{name}users_a_second_of_all_cores"]
        slow = batch[f"{name}slower"]
        log.info("  %s: %.0f users/s a core, %.0f of all cores; there %.0f", what, *pair, pair[1] * slow)
    shares = found["share_of_numpy"]
    log.info("  compiled: %.2f of NumPy's work, %.2f in batches of 32", shares["1"], shares["32"])
    rest = batch["furthest"], batch["moved"], found["peak_mb"]
    log.info("  single differs from batch by %.1e, %d lists moved; %.0f MB", *rest)


def plot(found: dict[str, Found], path: Path) -> None:
    """Bars of the medians of every scenario, with the tail above, of each shop."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(found), 3.5), layout="constrained")
    for axes, (name, one) in zip(np.atleast_1d(figure.subplots(1, len(found))), found.items(), strict=True):
        values = one["scenarios"]
        axes.bar(list(values), [value["p99_ms"] for value in values.values()], color="#cfd8dc", label="p99")
        axes.bar(list(values), [value["p50_ms"] for value in values.values()], color="#5e548e", label="p50")
        axes.tick_params(axis="x", rotation=60)
        axes.set_title(name)
        axes.set_ylabel("ms a request")
    figure.savefig(path, dpi=120)


def apart(arguments: list[str], out: Path) -> Found:
    """What this script finds in a process of its own."""
    part = out / "engine_part.json"
    command = [sys.executable, "-m", "benchmarks.engine", *arguments, "--part", str(part)]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    found: Found = read_json(part)
    part.unlink()
    return found


def main() -> None:
    """Measure and write engine.json and engine.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--made", type=int, nargs="*", default=list(MADE), help="sizes of made shops")
    parser.add_argument("--part", type=Path, help="write the figures of one shop there and stop")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.part:
        write_json(options.part, of_release(options.store) if options.store else of_made(options.made[0]))
        return
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > BUSY:
        raise SystemExit("This machine is busy: its load is above one per core. Wait, then measure.")
    options.out.mkdir(parents=True, exist_ok=True)
    found = {"release": apart(["--store", str(options.store)], options.out)} if options.store else {}
    found |= {f"made, {size:,} items": apart(["--made", str(size)], options.out) for size in options.made}
    write_json(options.out / "engine.json", {"load": load, "shops": found})
    plot(found, options.out / "engine.png")
    for name, one in found.items():
        tell(name, one)


if __name__ == "__main__":
    main()
