"""Greedy ensemble selection: add, with replacement, whatever lifts the mean NDCG@10 of the teaching lists most."""

import numpy as np
import numpy.typing as npt

from components.common.ranking import ndcg_at
from components.fuse.lists import USED, Lists, table
from serving.arrays import Floats, top_k
from serving.blend import Blend
from serving.calibration import RRF, VALUE

Doubles = npt.NDArray[np.float64]
OFFERED = (VALUE, RRF)  # of every member
STEPS = 25
PATIENCE = 6  # steps without gain after which it ends
CUT = 10
MOST_ROWS = 300_000  # candidates it looks at; past them, lists spread evenly over all
EVEN = 9  # decimals: gains that differ by less are equal, and the earlier member is taken


def greedy(lists: Lists, steps: int = STEPS) -> Blend:
    """Start with nothing, add *steps* times; the weights are the counts at the best length over that length."""
    some = _spread(lists)
    grades = np.log2(1.0 + some.gain)
    columns = [(member, USED.index(feature)) for member in range(len(some.members)) for feature in OFFERED]
    options = [np.ascontiguousarray(some.x[:, :, member, column]) for member, column in columns]
    total = np.zeros(some.gain.shape, dtype=np.float32)
    counts, best, reached = np.zeros(len(options)), np.zeros(len(options)), -1.0
    for _ in range(steps):
        found = [_worth(total + option, some, grades) for option in options]
        pick = int(np.argmax(found))
        total += options[pick]
        counts[pick] += 1
        if found[pick] > reached:
            reached, best = found[pick], counts.copy()
        if counts.sum() - best.sum() >= PATIENCE:
            break
    weights = (best / best.sum()).reshape(len(some.members), len(OFFERED))
    return Blend(kind="greedy", members=lists.members, weights=table(weights, OFFERED))


def _worth(scores: Floats, lists: Lists, grades: Doubles) -> float:
    """Mean NDCG@10 of (n, c) scores."""
    best = top_k(np.where(lists.valid, scores, np.float32(-np.inf)), CUT)
    listed = np.where(best >= 0, np.take_along_axis(grades, np.maximum(best, 0), axis=1), 0.0)
    return round(float(ndcg_at(listed, (grades > 0).sum(axis=1), CUT).mean()), EVEN)


def _spread(lists: Lists) -> Lists:
    most = max(MOST_ROWS // max(lists.gain.shape[1], 1), 1)
    if len(lists) <= most:
        return lists
    return lists.take(np.linspace(0, len(lists) - 1, most).astype(np.intp))
