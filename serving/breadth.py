"""How a blend shows more of the catalogue: what sells is held back, and last places are given to what few buy.

Both change little of what a user sees first, where it is worth the most.
"""

import numpy as np

from serving import kernels
from serving.arrays import PAD, Floats, Ints, at, top_k
from serving.evidence import Evidence

POPULARITY = "popularity"  # the member that breaks ties, and that knows what sells
SPARED = 3  # places at the head of a list from which the reach takes less: nothing, a third, two thirds
PAGE = 10  # places of which the last may be seats
AMONG = 10  # of the host's best that have no place yet the least sold ones take the seats
NEVER = np.float32(-np.inf)


def popular(evidence: Evidence) -> Floats:
    """(n, c) what a reach of 1 takes: the logarithm of 1 + a candidate's sales, 1 for the list's most popular one."""
    if POPULARITY not in evidence.members:
        return np.zeros(evidence.valid.shape, dtype=np.float32)
    sold = evidence.scores[:, :, evidence.members.index(POPULARITY)]
    logs = np.log1p(np.maximum(np.where(np.isfinite(sold) & evidence.valid, sold, 0), 0))
    return np.asarray(logs / np.maximum(logs.max(axis=1, keepdims=True), np.float32(1e-6)), dtype=np.float32)


def held_back(evidence: Evidence, total: Floats) -> Floats:
    """(n, c) what a reach of 1 takes from the *total* (n, c): `popular`, but nothing of the first and part of the next.

    The first places are worth the most to a user; for how many items are shown at all, one place is as good as another.
    """
    if kernels.there and POPULARITY in evidence.members:
        column = evidence.members.index(POPULARITY)
        return kernels.held_back(evidence.scores.transpose(0, 2, 1), column, evidence.valid, total)
    held = popular(evidence)
    first = top_k(np.where(evidence.valid, total, NEVER), SPARED)
    rows, ranks = np.nonzero(first != PAD)
    held[rows, first[rows, ranks]] *= ranks.astype(np.float32) / SPARED
    return held


def liked(evidence: Evidence, host: str) -> Ints:
    """(n, at most PAGE + AMONG) places of the candidates that the member *host* likes best, best first."""
    own = evidence.scores[:, :, evidence.members.index(host)]
    return top_k(np.where(evidence.valid, own, NEVER), PAGE + AMONG)


def seated(order: Ints, best: Ints, sold: Floats, seats: int) -> Ints:
    """*order* with the last *seats* of its first PAGE places given to the host's.

    Args:
        order: (n, m) places of candidates, best first, -1 after the last.
        best: (n, b) the host's, see `liked`.
        sold: (n, c) how popular the candidates are.
        seats: how many; a list of fewer than PAGE candidates stays as it is.

    Returns:
        (n, m); who is sent away comes right after the seats.
    """
    if seats == 0 or order.shape[1] < PAGE:
        return order
    kept, rest = order[:, : PAGE - seats], order[:, PAGE - seats :]
    picks = _least_sold(best, kept, sold, seats)
    full = (order[:, PAGE - 1] != PAD) & (picks != PAD).all(axis=1)
    left = np.where((rest[:, :, None] == picks[:, None, :]).any(axis=2), PAD, rest)
    left = np.take_along_axis(left, np.argsort(left == PAD, axis=1, kind="stable"), axis=1)
    new = np.concatenate([kept, picks, left], axis=1)[:, : order.shape[1]]
    return np.where(full[:, None], new, order)


def lift(evidence: Evidence, total: Floats, host: str, seats: int) -> Floats:
    """(n, c) what must be added to the *total* (n, c) for the order that `seated` gives: to who is seated alone."""
    added = np.zeros_like(total)
    if seats == 0 or not {host, POPULARITY} <= set(evidence.members):
        return added
    ranked = np.where(evidence.valid, total, NEVER)
    order = top_k(ranked, PAGE + seats)
    new = seated(order, liked(evidence, host), popular(evidence), seats)
    if order.shape[1] <= PAGE:
        return added
    picks, rows = new[:, PAGE - seats : PAGE], np.flatnonzero((new != order).any(axis=1))
    high = _at(total, new[:, PAGE - seats - 1])
    low = np.where(new[:, PAGE] == PAD, high - 1, _at(total, new[:, PAGE]))
    steps = np.arange(seats, 0, -1, dtype=np.float32) / np.float32(seats + 1)
    wanted = low[:, None] + (high - low)[:, None] * steps
    added[rows[:, None], picks[rows]] = wanted[rows] - at(total, np.maximum(picks, 0))[rows]
    return added


def _least_sold(best: Ints, kept: Ints, sold: Floats, seats: int) -> Ints:
    """(n, seats) of the first AMONG of *best* that are not *kept* the least sold, the least sold first."""
    free = (best != PAD) & ~(best[:, :, None] == kept[:, None, :]).any(axis=2)
    free &= np.cumsum(free, axis=1) <= AMONG
    little = np.where(free, -at(sold, np.maximum(best, 0)), NEVER)
    chosen = top_k(little, seats)
    return np.where(chosen == PAD, PAD, at(best, np.maximum(chosen, 0)))


def _at(total: Floats, places: Ints) -> Floats:
    """(n,) of (n, c) at (n,) places."""
    return np.take_along_axis(total, np.maximum(places, 0)[:, None].astype(np.intp), axis=1)[:, 0]
