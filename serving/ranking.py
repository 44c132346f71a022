"""What a blend makes of a pool: contributions, and the ranking of the candidates in a given order."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from serving import kernels
from serving.arrays import PAD, Bools, Floats, Ints, at
from serving.blend import CONTEXT_PART, Blend
from serving.pool import Pool, Ranking
from serving.verdict import Verdict, apply

ROUNDING = np.float32(1e-4)  # by how much a score may differ from the sum of its parts, where scores are about 1
Places = npt.NDArray[np.intp]


def contributions(
    pool: Pool, blend: Blend, weights: Mapping[str, float] | None = None
) -> tuple[Floats, tuple[str, ...]]:
    """(n, c, P) a contribution of every member and of the context to each candidate, and their P names."""
    evidence = pool.evidence.of([name for name in blend.members if name in pool.members])
    return apply(blend, evidence, weights), (*evidence.members, CONTEXT_PART)


def rank_with(pool: Pool, blend: Blend, k: int, weights: Mapping[str, float] | None = None) -> Ranking:
    """The k best of a pool by one blend; a contribution per member and of the context, summing to the score.

    Whoever could be among them is found by scores without parts; those few are put in order by the sums of their parts.
    """
    return shown(pool, judged(pool, blend, weights), k)


def judged(pool: Pool, blend: Blend, weights: Mapping[str, float] | None = None) -> Verdict:
    """The scores of a pool by one blend."""
    return Verdict(blend, pool.evidence.of([name for name in blend.members if name in pool.members]), weights)


def shown(pool: Pool, verdict: Verdict, k: int) -> Ranking:
    """The k best of a judged pool."""
    places = contenders(verdict.total, pool.valid, k)
    chosen = np.maximum(places, 0)
    parts = verdict.parts(chosen)
    total = totals(parts, places != PAD)
    order = pool.best_of(total, chosen, k)
    candidates = at(pool.candidates, chosen)
    return in_order(candidates, total, parts, (*verdict.members, CONTEXT_PART), order)


def contenders(total: Floats, valid: Bools, k: int) -> Places:
    """(n, w) places, ascending, -1 after the last, whose *total* (n, c) is within rounding of one of the k highest.

    valid: (n, c), False is padding.
    """
    if kernels.there:
        return kernels.contenders(total, valid, k, float(ROUNDING))
    total = np.where(valid, total, np.float32(-np.inf))
    c = total.shape[1]
    found = total > -np.inf
    if k < c:
        bound = -np.partition(-total, k - 1, axis=1)[:, k - 1, None]
        highest = np.abs(np.where(found, total, 0)).max(axis=1, keepdims=True, initial=0)
        found &= total >= bound - ROUNDING * (1 + highest)
    width = int(np.count_nonzero(found, axis=1).max(initial=0))
    order = np.argsort(~found, axis=1, kind="stable")[:, : max(width, min(k, c))]
    return np.where(at(found, order), order, PAD)


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
    items = np.where(order == PAD, PAD, at(candidates, chosen))
    scores = np.where(order == PAD, np.float32(-np.inf), at(total, chosen))
    flat = chosen + np.arange(len(chosen))[:, None] * parts.shape[1]
    taken = np.take(parts.reshape(-1, parts.shape[2]), flat, axis=0)
    return Ranking(items.astype(np.int32), scores, taken, names, fired)
