"""What serves a user of whom little is known yet: a blend learned of users whose history is cut short.

Where nearly all users have long histories, what is learned of them misleads for one who has just looked at a product:
the members that lead there know next to nothing. How much of what sells is still to be told, and how much of what
resembles the few products, users tell whose histories are cut to their last ones; what one product tells that was just
viewed, users tell of whom nothing is known but the first that they took next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from components.fuse.choice import mean
from components.fuse.fit import fit_task
from components.fuse.judging import cross_fit, held_out, judge
from components.fuse.lists import FitSet, Lists
from components.fuse.options import Options
from components.fuse.pools import Answers, fit_set
from components.fuse.strangers import few_methods, hidden, of_the_chosen, plain, with_chosen
from serving.arrays import Ints, Longs
from serving.blend import Blend, TaskFusion
from serving.engine import Engine
from serving.states import UserStates

MOST_USERS = 499  # of all fit windows, cut short
FEW = 5  # distinct products of the longest history that may count as short
SERVED = "served"  # the chosen blend, as the report calls it
BEYOND = 2.0  # standard errors that are more than chance

Doubles = npt.NDArray[np.float64]


def cut_short(states: UserStates, sizes: Longs) -> UserStates:
    """The same users with at most the last *sizes* (n,) products of their histories."""
    left = np.minimum(states.sizes, sizes)
    starts, ends = states.indptr[1:] - left, np.cumsum(left)
    kept = np.arange(int(left.sum())) + np.repeat(starts - (ends - left), left)
    return replace(
        states,
        indptr=np.concatenate([[0], ends]).astype(np.int64),
        items=states.items[kept],
        last_at=states.last_at[kept],
        first_at=states.first_at[kept],
        counts=states.counts[kept],
    )


def newcomer_set(engine: Engine, asked: Answers, task: str, most: int, seed: int) -> FitSet | None:
    """What *engine* recalls for at most *most* users with two to `FEW` products left, seeded; None: nobody."""
    sizes = np.random.default_rng(seed).integers(2, FEW, size=len(asked.users), endpoint=True)
    known = replace(asked, states=cut_short(asked.states, sizes)).take(np.flatnonzero(asked.states.sizes > 1))
    some = known.of_task(task).sample(most, seed)
    return fit_set(engine, some, task) if len(some.users) else None


def viewed_set(engine: Engine, asked: Answers, task: str, most: int, seed: int) -> FitSet | None:
    """As `newcomer_set`, of users who have just viewed the first product that they took next, and want the others."""
    unknown = replace(asked, states=hidden(asked.states)).of_task(task).sample(most, seed)
    users, viewed = np.arange(len(unknown.users)), first_of_each(unknown.at, seed)
    ones = np.ones(len(users), dtype=np.float32)
    left = sparse.csr_matrix(unknown.taken - sparse.csr_matrix((ones, (users, viewed)), shape=unknown.taken.shape))
    left.eliminate_zeros()
    now = unknown.states.viewing([[int(item)] for item in viewed], engine.shop.event_weights["view"])
    some = replace(unknown, states=now, taken=left).of_task(task)
    return fit_set(engine, some, task) if len(some.users) else None


def first_of_each(at: sparse.csr_matrix, seed: int) -> Ints:
    """(n,) the item that each user took first, one of several at that moment drawn; everybody took something.

    Args:
        at: (n, n_items) when.
        seed: of the draw.
    """
    rows = np.repeat(np.arange(at.shape[0]), np.diff(at.indptr))
    order = np.lexsort((np.random.default_rng(seed).random(len(rows)), at.data, rows))
    return np.asarray(at.indices[order[at.indptr[:-1]]], dtype=np.int32)


def for_newcomers(
    fusion: TaskFusion, sets: Sequence[FitSet], options: Options
) -> tuple[TaskFusion, Mapping[str, Any] | None]:
    """*fusion* whose chosen blend knows what to do up to so many products, and the report of how it was learned.

    Nothing changes unless the other blend, on lists that it has not seen, is better than what serves them by more than
    chance; without lists that know all members of the blend either.
    """
    alike = of_the_chosen(fusion, sets)
    if not alike:
        return fusion, None
    wanted, chosen = few_methods(options), fusion.methods[fusion.chosen]
    found, report = fit_task(alike, {}, wanted)
    blend = found.methods[found.chosen]
    theirs, ours = _values(alike, chosen, blend, wanted)
    sizes = np.concatenate([_sizes(fit) for fit in alike])
    few = reach(theirs - ours, sizes)
    short = chosen.newcomers | dict.fromkeys(range(int(sizes.min()), few + 1), plain(blend, "newcomers"))
    return with_chosen(fusion, newcomers=short), {**report, SERVED: mean(ours), "few": few}


def reach(gain: Doubles, sizes: Longs) -> int:
    """Up to how many products another blend gains most in all; 0 where that is no more than chance.

    Args:
        gain: (n,) of each list, NaN where it has no value.
        sizes: (n,) products of its history.
    """
    sums = [float(np.nansum(gain[sizes <= few])) for few in range(1, FEW + 1)]
    few = 1 + int(np.argmax(sums))
    known = gain[(sizes <= few) & ~np.isnan(gain)]
    if len(known) < 2:
        return 0
    error = float(known.std(ddof=1)) / np.sqrt(len(known))
    return few if known.mean() > BEYOND * error else 0


def _values(sets: Sequence[FitSet], served: Blend, other: Blend, options: Options) -> tuple[Doubles, Doubles]:
    """NDCG@10 of every list by the *other* blend as it is learned of the other folds, and by the one that serves."""
    lists, folds = Lists.of(sets, options.max_rows, options.seed), held_out(sets, options.folds, options.seed)
    known = options.methods(served.members, None, lists.moments) if len(lists) else {}
    fixed = {SERVED: served} | ({} if other.kind in known else {other.kind: other})
    learned = {name: method for name, method in known.items() if name == other.kind}
    values = judge(sets, folds, cross_fit(sets, folds, lists, learned, fixed))
    return values[other.kind], values[SERVED]


def _sizes(fit: FitSet) -> Longs:
    if fit.contexts is None:
        raise ValueError("newcomers: found lists without contexts, expected those of users: sizes are read there")
    return fit.contexts.states.sizes
