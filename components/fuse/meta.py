"""Meta-learned weights: a start from which a few gradient steps on a segment's own lists do best (MAML).

Tasks are segments of users. Of each, one half of the lists is stepped on and the other judges the weights reached:
the start, and one step size per weight, minimise the mean loss of the judges. Second order: the gradient passes
through the steps by exact Hessian-vector products of the listwise loss. First order: the steps are taken as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from components.fuse.heads import Heads, Learn, head_weights
from components.fuse.lists import USED, Lists, table
from components.fuse.softmax import Listwise
from serving.arrays import Floats, Longs
from serving.blend import Blend
from serving.context import CONTEXT
from serving.gate import Gate

Doubles = npt.NDArray[np.float64]
INNER_STEPS, OUTER_STEPS = 3, 30
RATE = 1.0  # where the step sizes start
RATE_L2, START_L2 = 1e-3, 1e-3  # what holds the logarithms of the step sizes and the start near where they began
FEWEST_LISTS = 60  # of a segment; smaller ones are not worth weights of their own
SEGMENTS = 4  # by history; tasks are those by history times two by taste
BY, ACROSS = CONTEXT.index("history"), CONTEXT.index("share_top")


@dataclass(frozen=True)
class Task:
    """A segment: lists to step on (support) and lists to judge by (query)."""

    support: Listwise
    query: Listwise


@dataclass(frozen=True)
class Start:
    """weights: (D,) before any step. rate: (D,) step size of each weight."""

    weights: Doubles
    rate: Doubles


def meta(lists: Lists, seed: int, learn: Learn = head_weights) -> Blend:
    """The meta-learned start, adapted to each segment of history lengths, as a blend with a step gate.

    Args:
        lists: the lists that teach.
        seed: of which half of a task's lists is stepped on.
        learn: what gives the static weights and the heads.
    """
    static, heads = learn(lists)
    if not len(heads):
        return Blend(kind="meta", members=lists.members, weights=table(static.reshape(-1, len(USED)), USED))
    edges, segment = segments(of_list(lists, BY)[heads.rows])
    start = learn_start(tasks(heads, lists, segment, seed), Start(static, np.full(len(static), RATE)))
    adapted = [
        adapt(start.weights, heads.take(segment == s).listwise, INNER_STEPS, start.rate) for s in np.unique(segment)
    ]
    return Blend(
        kind="meta",
        members=lists.members,
        weights=table(adapted[0].reshape(-1, len(USED)), USED),
        gate=_gate(edges, adapted) if len(edges) else None,
    )


def adapt(weights: Doubles, lists: Listwise, steps: int, rate: float | Doubles) -> Doubles:
    """(D,) weights after *steps* of gradient descent on the listwise loss of *lists*; *weights* stay as they are."""
    for _ in range(steps):
        weights = weights - rate * lists.loss(weights)[1]
    return weights


def learn_start(tasks: Sequence[Task], before: Start, steps: int = INNER_STEPS, order: int = 2) -> Start:
    """The start whose weights, after *steps* on a task's support, are best for its query, over all tasks.

    Args:
        tasks: at least one.
        before: where the search begins.
        steps: gradient steps of an adaptation.
        order: 2: exact (MAML with learned step sizes). 1: the Hessian is taken as zero, step sizes included.
    """
    size = len(before.weights)
    from_ = np.concatenate([before.weights, np.log(before.rate)])
    holds = np.repeat((START_L2, RATE_L2), size)

    def objective(flat: Doubles) -> tuple[float, Doubles]:
        at = Start(flat[:size], np.exp(flat[size:]))
        found = [meta_loss(task, at, steps, order) for task in tasks]
        apart = flat - from_
        value = float(np.mean([value for value, _ in found])) + float(holds @ (apart * apart))
        return value, np.mean([slope for _, slope in found], axis=0) + 2 * holds * apart

    bounds = [(None, None)] * size + [(-5.0, 5.0)] * size
    options = {"maxiter": OUTER_STEPS, "maxcor": 20, "ftol": 1e-7}
    found = minimize(objective, from_, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return Start(found[:size], np.exp(found[size:]))


def meta_loss(task: Task, start: Start, steps: int, order: int = 2) -> tuple[float, Doubles]:
    """Loss of the query at the adapted weights, and its (2 D,) gradient by the weights and by log(rate)."""
    path, slopes = [start.weights], []
    for _ in range(steps):
        slopes.append(task.support.loss(path[-1])[1])
        path.append(path[-1] - start.rate * slopes[-1])
    value, back = task.query.loss(path[-1])
    by_rate = np.zeros(len(back))
    for at, slope in zip(path[-2::-1], slopes[::-1], strict=True):
        by_rate -= back * slope
        if order == 2:
            back = back - curved(task.support, at, start.rate * back)
    return value, np.concatenate([back, by_rate * start.rate])


def curved(lists: Listwise, weights: Doubles, direction: Doubles) -> Doubles:
    """(D,) Hessian of the listwise loss at *weights*, times *direction*: the covariance of x under the softmax."""
    n, c = lists.share.shape
    scores = (lists.x @ weights.astype(np.float32)).reshape(n, c) + lists.bar
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    along = (lists.x @ direction.astype(np.float32)).reshape(n, c)
    apart = likely * (along - (likely * along).sum(axis=1, keepdims=True))
    turned: Doubles = (apart.ravel() @ lists.x).astype(np.float64) / n
    return turned


def of_list(lists: Lists, column: int) -> Floats:
    """(n,) the highest context value of a list's candidates: a user's own value where it is the same for all."""
    values = np.where(lists.valid, lists.context[..., column], np.float32(-np.inf))
    highest: Floats = values.max(axis=1, initial=-np.inf)
    return highest


def segments(values: Floats, most: int = SEGMENTS) -> tuple[Doubles, npt.NDArray[np.intp]]:
    """Edges (ascending) of at most *most* segments of equal size, and (n,) the segment of each list."""
    count = min(most, len(values) // FEWEST_LISTS)
    if count < 2:
        return np.zeros(0), np.zeros(len(values), dtype=np.intp)
    cuts = np.unique(np.quantile(values, np.arange(1, count) / count, method="higher"))
    edges = cuts[cuts > values.min()].astype(np.float64)
    return edges, np.searchsorted(edges, values.astype(np.float64), side="right")


def tasks(heads: Heads, lists: Lists, segment: npt.NDArray[np.intp], seed: int) -> list[Task]:
    """A task per segment and half of it by taste (share_top), groups halved into support and query."""
    taste, found = of_list(lists, ACROSS)[heads.rows], []
    half = _halved(lists.groups[heads.rows], seed)
    for number in np.unique(segment):
        own = segment == number
        _, part = segments(taste[own], most=2)
        for piece in np.unique(part):
            rows = np.flatnonzero(own)[part == piece]
            sides = [rows[half[rows] == side] for side in (0, 1)]
            if min(map(len, sides)) > 0:
                found.append(Task(*(heads.take(side).listwise for side in sides)))
                found.append(Task(found[-1].query, found[-1].support))
    return found or [Task(heads.listwise, heads.listwise)]


def _halved(groups: Longs, seed: int) -> Longs:
    distinct, place = np.unique(groups, return_inverse=True)
    half: Longs = (np.random.default_rng(seed).permutation(len(distinct)) % 2)[place]
    return half


def _gate(edges: Doubles, adapted: Sequence[Doubles]) -> Gate:
    """Unit h is on from edge h: it adds what segment h + 1 has beyond segment h."""
    beyond = [after - before for before, after in pairwise(adapted)]
    wide = [np.array(table(row.reshape(-1, len(USED)), USED)).ravel() for row in beyond]
    return Gate(
        inputs=(CONTEXT[BY],),
        center=(0.0,),
        scale=(1.0,),
        hidden=tuple((1.0, -float(edge)) for edge in edges),
        activation="step",
        out=tuple(tuple(row.tolist()) for row in wide),
    )
