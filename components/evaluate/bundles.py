"""Bundles: given one half of a basket of the test window, how much of the other half is among the first 20?"""

from typing import Any

import numpy as np
from scipy import sparse

from components.common import columns as c
from components.common.baskets import HeldBaskets, held_baskets
from components.common.prepared import Prepared
from components.common.ranking import Doubles
from components.evaluate.bootstrap import paired
from components.evaluate.metrics import mean
from serving.arrays import PAD, Bools, Floats, Ints, Longs
from serving.breadth import POPULARITY
from serving.engine import Engine
from serving.queries import BUNDLE, Queries
from serving.states import UserStates

K, BATCH = 20, 256
HOUSEHOLDS = 1_500  # users, with one basket each
FUSED, RECALL = "fused", f"recall@{K}"
Values = dict[str, Doubles]


def judge_bundles(engine: Engine, shop: Prepared) -> dict[str, Any] | None:
    """Recall@20 of the blend and of every member alone, over the whole catalogue, one basket of each user.

    `new` asks the same with `new_only`: of the hidden half only what is new to the user is wanted, and nothing else is
    shown, neither by the blend nor by a member.

    Returns:
        {"users", "fused", "members", "gain" over popularity with its 95% interval, "new": the same}; None where the
        release makes no bundles or the window holds no basket of two items.
    """
    held = held_baskets(shop.target(shop.split.test), HOUSEHOLDS, shop.split.seed)
    can = any(BUNDLE in member.scenarios for member in engine.members.values())
    if not len(held) or not can or engine.fusion is None or BUNDLE not in engine.fusion.tasks:
        return None
    known = met(shop, held.users)
    wanted = _pairs(held.rows, held.items, known.shape)
    parts = [_judged(engine, held, wanted, known, start) for start in range(0, len(held), BATCH)]
    whole, fresh = (
        {name: np.concatenate([part[side][name] for part in parts]) for name in parts[0][0]} for side in (0, 1)
    )
    return {**summary(whole, shop.split.seed), "new": summary(fresh, shop.split.seed)}


def met(shop: Prepared, users: Longs) -> sparse.csr_matrix:
    """(n, n_items) 1 where one of *users* (n,) had met the item before the test."""
    history = shop.history(shop.split.test)
    shape = (len(shop.users), len(shop.items))
    return _pairs(history[c.USER].to_numpy(), history[c.ITEM].to_numpy(), shape)[users]


def summary(values: Values, seed: int) -> dict[str, Any]:
    """Means of (n,) recalls by name, and what the blend gains over popularity."""
    popular = values.get(POPULARITY)
    gain = None if popular is None else paired(values[FUSED], popular, seed)
    relative = None if gain is None else gain.relative
    return {
        "users": int((~np.isnan(values[FUSED])).sum()),
        FUSED: {RECALL: mean(values[FUSED])},
        "members": {name: {RECALL: mean(one)} for name, one in values.items() if name != FUSED},
        "gain": {
            "over": POPULARITY,
            RECALL: None if relative is None else relative.value,
            "ci95": None if relative is None else [relative.low, relative.high],
        },
    }


def _judged(
    engine: Engine, held: HeldBaskets, wanted: sparse.csr_matrix, known: sparse.csr_matrix, start: int
) -> tuple[Values, Values]:
    """By name the recalls of one batch: of all that was hidden, and of what is new."""
    rows = slice(start, start + BATCH)
    queries = engine.queries(BUNDLE, UserStates.from_items(held.given[rows], engine.as_of))
    scores = engine.full_scores(queries, BUNDLE)
    truth, seen = wanted[rows].toarray() > 0, known[rows].toarray() > 0
    whole = _recalls(engine, queries, scores, truth)
    for one in scores.values():
        one[seen] = -np.inf
    return whole, _recalls(engine, queries, scores, truth & ~seen)


def _recalls(engine: Engine, queries: Queries, scores: dict[str, Floats], truth: Bools) -> Values:
    pool = engine.pool_of(queries, scores, BUNDLE)
    lists = {FUSED: engine.rank(pool, BUNDLE, K).items} | {name: found[:, :K] for name, found in pool.channels.items()}
    return {name: recall(items, truth) for name, items in lists.items()}


def _joined(parts: list[Values]) -> Values:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def recall(items: Ints, truth: Bools) -> Doubles:
    """(n,) share of the wanted (n, n_items) among *items* (n, k); NaN where nothing is wanted."""
    hits = np.take_along_axis(truth, np.maximum(items, 0).astype(np.int64), axis=1) & (items != PAD)
    counts = truth.sum(axis=1)
    out = np.full(len(truth), np.nan)
    return np.asarray(np.divide(hits.sum(axis=1), counts, out=out, where=counts > 0))


def _pairs(rows: Longs, items: Longs, shape: tuple[int, int]) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, items)), shape=shape)
