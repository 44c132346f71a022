"""Rank the test's users with the serving engine, batch by batch, exactly as it would serve them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from components.common.ranking import Doubles
from components.common.stage import progress
from components.evaluate.metrics import LONGEST, auc, eligible
from components.evaluate.relevance import Relevance
from serving.arrays import PAD, Bools, Floats, Ints, Longs
from serving.engine import RECALL, Engine
from serving.pool import Pool, Ranking
from serving.queries import RECOMMEND
from serving.ranking import judged, shown
from serving.states import UserStates

BATCH = 128  # users whose scores of the whole catalogue are held at once, by each worker
FUSED = "fused"
WORKERS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Judged:
    """Lists of n users. items: (n, 20) catalogue rows, -1 after the last. auc: (n,), NaN where it was not asked for."""

    items: Ints
    auc: Doubles

    @classmethod
    def join(cls, parts: list["Judged"], order: Longs | None = None) -> "Judged":
        """The users of all parts, one after the other, or those in the places *order* of that row."""
        whole = cls(np.concatenate([part.items for part in parts]), np.concatenate([part.auc for part in parts]))
        return whole if order is None else cls(whole.items[order], whole.auc[order])


@dataclass(frozen=True)
class Outcome:
    """What one task's test gave.

    members: by name, the full catalogue ranked by that member alone. fused: the blend that serves, behind recall as
    served; `chosen` is its name. asked: (m,) places of the users, ascending, for whom every blend was ranked; methods:
    by name, its lists of those m users. channels: by name, (n,) recall@100 of each user; pooled: (n,) recall
    of the union of the channels, the most that any blend can reach. curves: by channel and for "fused", (100,) recall
    at 1..100, summed over users. false_positives: (100,) share of the irrelevant catalogue that fused has shown by
    then, summed over users.
    """

    task: str
    chosen: str
    members: dict[str, Judged]
    fused: Judged
    asked: Longs
    methods: dict[str, Judged]
    channels: dict[str, Doubles]
    pooled: Doubles
    curves: dict[str, Doubles]
    false_positives: Doubles

    def roc(self) -> list[list[float]]:
        """False and true positive rates of fused: its first 100 places, then all it did not recall, which ties."""
        users = len(self.pooled)
        rates = (self.false_positives / users, self.curves[FUSED] / users)
        return [[0.0, *np.minimum(rate, 1).tolist(), 1.0] for rate in rates]


def confusion(items: Ints, relevance: Relevance) -> list[list[int]]:
    """[[not shown and not taken, shown and not taken], [not shown and taken, shown and taken]], pairs of user and item.

    Args:
        items: (n, k) catalogue rows that were shown, -1 after the last.
        relevance: what the n users took.
    """
    hits, shown_at_all, taken = int(relevance.holds(items).sum()), int((items != PAD).sum()), len(relevance.items)
    rest = len(relevance) * relevance.n_items - shown_at_all - taken + hits
    return [[rest, shown_at_all - hits], [taken - hits, hits]]


def judge(
    engine: Engine,
    states: UserStates,
    relevance: Relevance,
    task: str,
    workers: int = WORKERS,
    asked: Longs | None = None,
) -> Outcome:
    """Rank every user of *relevance*.

    Args:
        engine: a release's engine.
        states: (n) what was known of the users of *relevance*, in the same order, at the test's start.
        relevance: what they came to want.
        task: `discovery` or `next_basket`.
        workers: batches under way at once.
        asked: (m,) places of the users, ascending, for whom the blends that do not serve are ranked too, and every AUC
            found, which takes whole rows of scores; None: all.
    """
    if engine.fusion is None:
        raise ValueError("judge: an engine without fusion cannot be evaluated")
    everyone = np.arange(len(relevance))
    asked = everyone if asked is None else asked
    rest = np.setdiff1d(everyone, asked, assume_unique=True)
    fusion = engine.fusion.tasks[task]
    work = [(rows, tuple(fusion.methods)) for rows in _batches(asked)] + [(rows, ()) for rows in _batches(rest)]

    def one(batch: tuple[Longs, tuple[str, ...]]) -> Outcome:
        rows, methods = batch
        return _judge_batch(engine, states.take(rows), relevance.take(rows), task, methods)

    with ThreadPoolExecutor(workers) as threads:
        parts = list(_reported(threads.map(one, work), len(work)))
    return _join(parts, np.concatenate([asked, rest]), asked)


def _batches(rows: Longs) -> list[Longs]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _reported(parts: Iterator[Outcome], total: int) -> Iterator[Outcome]:
    for done, part in enumerate(parts, start=1):
        progress("evaluate", done, total)
        yield part


def _judge_batch(
    engine: Engine, states: UserStates, relevance: Relevance, task: str, methods: tuple[str, ...]
) -> Outcome:
    """One batch, by the blend that serves and by *methods*."""
    queries = engine.queries(RECOMMEND, states)
    pool = engine.pool(queries, task)
    truth = relevance.rows, relevance.items
    hidden = np.zeros((len(states), len(engine.catalogue)), dtype=np.float32)
    engine.rulebook.hidden(task, states).apply(hidden)
    among = eligible(hidden, *truth)  # what is hidden is hidden from every member
    rows = engine.full_scores(queries, task) if methods else {}
    whole = {name: auc(scores, *truth, among) for name, scores in rows.items()}
    unasked = np.full(len(states), np.nan)
    members = {
        name: Judged(_wide(channel[:, :LONGEST]), whole.get(name, unasked)) for name, channel in pool.channels.items()
    }

    def judged_by(method: str, k: int = LONGEST) -> tuple[Ranking, Judged]:
        best, items, scores = _ranked(engine, pool, task, method, k)
        above = _pool_auc(items, scores, relevance, among) if methods else unasked
        return best, Judged(_wide(best.items[:, :LONGEST]), above)

    chosen = engine.fusion.tasks[task].chosen  # type: ignore[union-attr]
    best, fused = judged_by(chosen, RECALL)
    curves = {name: _curve(channel, relevance) for name, channel in pool.channels.items()}
    return Outcome(
        task,
        chosen,
        members,
        fused,
        np.arange(len(relevance) if methods else 0),
        {name: fused if name == chosen else judged_by(name)[1] for name in methods},
        {name: _recall(channel, relevance) for name, channel in pool.channels.items()},
        _recall(pool.candidates, relevance),
        curves | {FUSED: _curve(best.items, relevance)},
        _false_positives(best.items, relevance, among),
    )


def _ranked(engine: Engine, pool: Pool, task: str, method: str, k: int) -> tuple[Ranking, Ints, Floats]:
    """The k best or more as they would be served; (n, c) all candidates, in any order, and (n, c) their scores."""
    if engine.rulebook.orders(task):
        whole = engine.rank(pool, task, pool.candidates.shape[1], method)
        return whole, whole.items, whole.scores
    assert engine.fusion is not None
    verdict = judged(pool, engine.fusion.blend(task, method))
    return shown(pool, verdict, k), pool.candidates, verdict.total


def _curve(items: Ints, relevance: Relevance) -> Doubles:
    hits = relevance.holds(_wide(items[:, :RECALL], RECALL))
    total: Doubles = (hits / np.maximum(relevance.counts, 1)[:, None]).sum(axis=0).cumsum()
    return total


def _false_positives(items: Ints, relevance: Relevance, among: Longs) -> Doubles:
    shown = _wide(items[:, :RECALL], RECALL)
    wrong = (shown != PAD) & ~relevance.holds(shown)
    total: Doubles = (wrong / np.maximum(among - relevance.counts, 1)[:, None]).sum(axis=0).cumsum()
    return total


def _pool_auc(items: Ints, scores: Floats, relevance: Relevance, among: Longs) -> Doubles:
    """(n,) AUC over the whole catalogue of recalled candidates by their scores; those not recalled tie below them."""
    scores = np.where(items == PAD, -np.inf, scores).astype(np.float32)
    listed = relevance.holds(items)
    rows, columns = np.nonzero(listed)
    inside = listed.sum(axis=1)
    outside = relevance.counts - inside
    others_inside = (items != PAD).sum(axis=1) - inside
    others_outside = np.maximum(among - relevance.counts - others_inside, 0)
    won = np.nan_to_num(auc(scores, rows, columns.astype(np.int32))) * inside * others_inside
    won += inside * others_outside + 0.5 * outside * others_outside
    pairs = relevance.counts * (others_inside + others_outside)
    share: Doubles = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)
    return share


def _recall(items: Ints, relevance: Relevance) -> Doubles:
    hits: Bools = relevance.holds(items)
    share: Doubles = hits.sum(axis=1) / np.maximum(relevance.counts, 1)
    return share


def _wide(items: Ints, width: int = LONGEST) -> Ints:
    """(n, width): padded with -1 where the catalogue is smaller; never a view that would keep a longer list alive."""
    missing = width - items.shape[1]
    return items.copy() if missing <= 0 else np.pad(items, ((0, 0), (0, missing)), constant_values=PAD)


def _join(parts: list[Outcome], order: Longs, asked: Longs) -> Outcome:
    """All users in their own order; the parts hold them in the order of the places *order*, *asked* first."""
    first, own = parts[0], np.argsort(order)
    ladder = [part for part in parts if part.methods]
    return Outcome(
        first.task,
        first.chosen,
        {name: Judged.join([part.members[name] for part in parts], own) for name in first.members},
        Judged.join([part.fused for part in parts], own),
        asked,
        {name: Judged.join([part.methods[name] for part in ladder]) for name in first.methods},
        {name: np.concatenate([part.channels[name] for part in parts])[own] for name in first.channels},
        np.concatenate([part.pooled for part in parts])[own],
        {name: np.sum([part.curves[name] for part in parts], axis=0) for name in first.curves},
        np.sum([part.false_positives for part in parts], axis=0),
    )
