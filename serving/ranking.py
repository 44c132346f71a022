"""What a blend makes of a pool: contributions, and the ranking of the candidates in a given order."""

from collections.abc import Mapping

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints
from serving.blend import CONTEXT_PART, Blend, apply
from serving.pool import Pool, Ranking


def contributions(
    pool: Pool, blend: Blend, weights: Mapping[str, float] | None = None
) -> tuple[Floats, tuple[str, ...]]:
    """(n, c, P) a contribution of every member and of the context to each candidate, and their P names."""
    evidence = pool.evidence.of([name for name in blend.members if name in pool.members])
    return apply(blend, evidence, weights), (*evidence.members, CONTEXT_PART)


def totals(parts: Floats, valid: Bools) -> Floats:
    """(n, c) the sums of (n, c, P) contributions; -inf for padding."""
    total: Floats = parts.sum(axis=2, dtype=np.float64).astype(np.float32)
    total[~valid] = -np.inf
    return total


def in_order(
    candidates: Ints, total: Floats, parts: Floats, names: tuple[str, ...], order: Ints, fired: Bools | None = None
) -> Ranking:
    """The ranking that *order* makes.

    Args:
        candidates: (n, c) catalogue rows.
        total: (n, c) scores.
        parts: (n, c, P) contributions.
        names: whose contributions they are.
        order: (n, k) places among the candidates, best first, -1 after the last.
        fired: (n, k, P) what moved an item without changing its score; None: nothing did.
    """
    chosen = np.maximum(order, 0)
    items = np.where(order == PAD, PAD, np.take_along_axis(candidates, chosen, axis=1))
    scores = np.take_along_axis(total, chosen, axis=1)
    flat = chosen + np.arange(len(chosen))[:, None] * parts.shape[1]
    taken = np.take(parts.reshape(-1, parts.shape[2]), flat, axis=0)
    return Ranking(items.astype(np.int32), scores, taken, names, fired)
