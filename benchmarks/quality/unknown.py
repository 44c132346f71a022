"""What newcomers would get where every user has a history: it is hidden, or all of it but its last product.

Under leave-one-out nobody is new, but users whose past is hidden are asked as newcomers are: as strangers, and after
the one product that they met before the one that is asked for, told as `context.viewed` of a request would be. Members
have learned from those pasts; of what the users came to want, they know nothing.
"""

from dataclasses import replace

import numpy as np

from benchmarks.quality.lists import FUSED, MEMBER, Lists, named
from benchmarks.quality.viewed import NOTHING_VIEWED, hiding
from components.evaluate.judge import judge
from components.fuse.strangers import hidden
from serving.engine import Engine
from serving.states import UserStates

MOST_USERS = 8_000  # asked so, a seeded sample


def hide_pasts(
    engine: Engine, lists: Lists, states: UserStates, task: str, seed: int, workers: int
) -> tuple[Lists, Lists] | None:
    """The lists of users with a history, as of strangers and after their last product viewed; None: nobody has one.

    That product is shown by no list after it is viewed.

    Args:
        engine: the release's.
        lists: (n) users as they were judged at the test's start.
        states: (n) what was known of them then.
        task: of one task.
        seed: of the sample.
        workers: batches judged at once.
    """
    rows = np.flatnonzero(states.sizes)
    if not len(rows):
        return None
    if len(rows) > MOST_USERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, size=MOST_USERS, replace=False))
    asked, known = lists.take(rows), states.take(rows)
    last = known.items[known.indptr[1:] - 1]
    nothing = hidden(known)
    weight = engine.shop.event_weights["view"]
    unknown = _judged(engine, asked, nothing, task, workers)
    seen = _judged(engine, asked, nothing.viewing([[int(item)] for item in last], weight), task, workers)
    found = {**seen.named, NOTHING_VIEWED: unknown.named[FUSED]}
    return unknown, replace(seen, named={name: hiding(items, last) for name, items in found.items()})


def _judged(engine: Engine, lists: Lists, states: UserStates, task: str, workers: int) -> Lists:
    """The same users as *states* know them: every member and the blend as served."""
    outcome = judge(engine, states, lists.relevance, task, workers, asked=np.empty(0, dtype=np.int64))
    found = {named(MEMBER, name): one.items for name, one in outcome.members.items()}
    return replace(lists, sizes=states.sizes, named={**found, FUSED: outcome.fused.items})
