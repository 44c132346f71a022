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
    """One configuration, its mean NDCG@10 on the hold-out and the seconds of processor time it took."""

    params: Params
    ndcg: float
    seconds: float


def search(space: Space, evaluate: Callable[[Params], float], trials: int, seconds: float, seed: int) -> list[Trial]:
    """At most *trials* configurations, the first made of the first values of *space*; none is begun after *seconds*.

    Seconds are processor time, so that a busy machine takes nobody's trials away.
    """
    draw = np.random.default_rng(seed)
    began = time.process_time()
    done: list[Trial] = []
    params: Params | None = {name: values[0] for name, values in space.items()}
    while params is not None and len(done) < trials and (not done or time.process_time() - began < seconds):
        started = time.process_time()
        value = evaluate(params)
        done.append(Trial(params, value, time.process_time() - started))
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
