"""How fast this machine is now: one piece of work that every benchmark can set its times against.

The 100 best of 100,000 vectors of 64 numbers for one question, by NumPy in one thread. Times of two machines, or of one
on two days, compare only as multiples of it: what a host shares with others changes by half from one day to the next.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits

VECTORS, SIZE, BEST, TIMES = 100_000, 64, 100, 60
GOAL_MS = 1.45  # the same on the machine that the goals in milliseconds and seconds were set on


def yardstick_ms(times: int = TIMES) -> float:
    """Milliseconds, the middle of *times*."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((VECTORS, SIZE), dtype=np.float32)
    question = rng.standard_normal(SIZE, dtype=np.float32)
    taken = []
    with threadpool_limits(1):
        for _ in range(times):
            started = time.perf_counter()
            scores = vectors @ question
            found = np.argpartition(-scores, BEST)[:BEST]
            found[np.argsort(-scores[found])]
            taken.append((time.perf_counter() - started) * 1e3)
    return float(np.median(taken))


def slower(measured_ms: float) -> float:
    """How many times as long as on the machine of the goals work takes here, by the yardstick measured here."""
    return measured_ms / GOAL_MS
