"""What newcomers get after one product just viewed: the first that they met in the test's window.

It is told to the engine as `context.viewed` of a request would be, nobody is shown it again and it is not relevant.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.quality.lists import FUSED, MEMBER, METHOD, Lists, named
from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Prepared
from components.evaluate.judge import judge
from components.evaluate.relevance import Relevance
from serving.arrays import PAD, Ints, Longs
from serving.engine import Engine
from serving.states import UserStates

NOTHING_VIEWED = named(METHOD, "nothing_viewed")  # what the same users get of whom nothing is known


def take_one_view(
    shop: Prepared, engine: Engine, lists: Lists, states: UserStates, task: str, workers: int
) -> Lists | None:
    """Lists of the users without history who want more than the one product that they view first; None: nobody does.

    Args:
        shop: the prepared shop.
        engine: the release's.
        lists: (n) users as they were judged at the test's start.
        states: (n) what was known of them then.
        task: of one task.
        workers: batches judged at once.
    """
    cold = np.flatnonzero(lists.sizes == 0)
    first = first_met(shop.window(shop.split.test), lists.relevance.users[cold], shop.split.seed)
    left = less(lists.relevance.take(cold), first)
    kept = np.flatnonzero((left.counts > 0) & (first != PAD))
    if not len(kept):
        return None
    before, first, left = lists.take(cold[kept]), first[kept], left.take(kept)
    weight = engine.shop.event_weights["view"]
    now = states.take(cold[kept]).viewing([[int(item)] for item in first], weight)
    outcome = judge(engine, now, left, task, workers, asked=np.empty(0, dtype=np.int64))
    found = {named(MEMBER, name): one.items for name, one in outcome.members.items()}
    found |= {FUSED: outcome.fused.items, NOTHING_VIEWED: before.named[FUSED]}
    hidden = {name: hiding(items, first) for name, items in found.items()}
    return replace(before, relevance=left, sizes=now.sizes, named=hidden)


def first_met(events: pd.DataFrame, users: Longs, seed: int) -> Ints:
    """(n,) the item of each user's earliest event, one of several at that moment drawn; -1 where there is none.

    Args:
        events: prepared events; those without an item are left out.
        users: (n,) codes, ascending.
        seed: of the draw.
    """
    known = events[(events[c.ITEM] >= 0) & events[c.USER].isin(users)]
    met = pd.DataFrame({"user": known[c.USER], "at": microseconds(known[c.TIMESTAMP]), "item": known[c.ITEM]})
    met = met.sort_values(["user", "at", "item"]).drop_duplicates()
    met["drawn"] = np.random.default_rng(seed).random(len(met))
    first = met.sort_values(["user", "at", "drawn"]).drop_duplicates("user")
    found = np.full(len(users), PAD, dtype=np.int32)
    found[np.searchsorted(users, first["user"].to_numpy())] = first["item"].to_numpy()
    return found


def less(relevance: Relevance, items: Ints) -> Relevance:
    """The same users, of each one item (n,) no longer relevant; -1 leaves all."""
    kept = relevance.items != items[relevance.rows]
    return Relevance(relevance.users, relevance.rows[kept], relevance.items[kept], relevance.n_items)


def hiding(lists: Ints, items: Ints) -> Ints:
    """(n, m) lists without each user's item (n,); what stood behind it moves up."""
    gone = (lists == items[:, None]) & (lists != PAD)
    order = np.argsort(gone, axis=1, kind="stable")
    return np.take_along_axis(np.where(gone, np.int32(PAD), lists), order, axis=1)
