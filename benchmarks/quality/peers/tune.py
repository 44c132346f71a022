"""The same small seeded search for every peer: its own defaults first, then draws and variations of the best."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.peers.base import Params, Space

EXPLORE = 0.4  # share of trials drawn afresh; the others vary the best in one or two numbers
DRAWS = 50  # attempts at something not tried yet


@dataclass(frozen=True)
class Trial:
    """One configuration, its mean NDCG@10 on the hold-out and the seconds it took."""

    params: Params
    ndcg: float
    seconds: float


def search(space: Space, evaluate: Callable[[Params], float], trials: int, seconds: float, seed: int) -> list[Trial]:
    """At most *trials* configurations, none begun after *seconds*; the first is made of the first values of *space*."""
    draw = np.random.default_rng(seed)
    began = time.perf_counter()
    done: list[Trial] = []
    params: Params | None = {name: values[0] for name, values in space.items()}
    while params is not None and len(done) < trials and (not done or time.perf_counter() - began < seconds):
        started = time.perf_counter()
        value = evaluate(params)
        done.append(Trial(params, value, time.perf_counter() - started))
        params = _next(space, done, draw)
    return done


def best(done: list[Trial]) -> Trial:
    """The trial with the highest value; the earlier of equals."""
    return max(done, key=lambda trial: trial.ndcg)


def _next(space: Space, done: list[Trial], draw: np.random.Generator) -> Params | None:
    """Something not tried yet; None when chance finds nothing."""
    tried = [trial.params for trial in done]
    for _ in range(DRAWS):
        names = list(space)
        if len(done) > 1 and draw.random() > EXPLORE:
            names = list(draw.permutation(names)[: draw.integers(1, 3)])
        found = best(done).params | {name: space[name][draw.integers(len(space[name]))] for name in names}
        if found not in tried:
            return found
    return None
