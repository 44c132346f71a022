"""The ranking of a pool where rules do more than hide items: boosts, burials, then pins and diversity."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints
from serving.blend import Blend
from serving.context import CONTEXT
from serving.pool import Pool, Ranking
from serving.ranking import contributions, in_order, totals
from serving.rules.arrange import Arranger, Slot
from serving.rules.book import Rulebook
from serving.rules.schema import Boost, Bury, Pin
from serving.states import UserStates

MET = CONTEXT.index("met")
PREFIX = "rule:"
R = TypeVar("R", Boost | Bury, Pin)


class _Candidates(NamedTuple):
    """The pool's candidates, then those that only a pin can show.

    items: (n, m) catalogue rows, -1 is padding. recalled: how many columns are the pool's own. met: (n, m) has the
    user met it. parts: (n, m, P) the blend's contributions, of the P names.
    """

    items: Ints
    recalled: int
    met: Bools
    parts: Floats
    names: tuple[str, ...]

    @classmethod
    def of(cls, pool: Pool, blend: Blend, weights: Mapping[str, float] | None) -> "_Candidates":
        """Those of *pool* keep the contributions they have without the pins' own."""
        parts, names = contributions(pool, blend, weights)
        width = pool.candidates.shape[1]
        if pool.beyond is None:
            return cls(pool.candidates, width, _met(pool), parts, names)
        more = contributions(pool.beyond, blend, weights)[0][:, width:]
        return cls(pool.beyond.candidates, width, _met(pool.beyond), np.concatenate([parts, more], axis=1), names)


def rank_by_rules(
    pool: Pool, blend: Blend, k: int, book: Rulebook, task: str, weights: Mapping[str, float] | None = None
) -> Ranking:
    """The k best of a pool by one blend and the rules of *task*.

    Every rule has a contribution of its own, `rule:<name>`, after those of the members and of the context: what a boost
    or a burial adds; 0 for pins and diversity, which `fired` tells of. They sum to the score.
    """
    if pool.states is None:
        raise ValueError("rules are asked of users at a moment: make the pool with its states")
    held = _Candidates.of(pool, blend, weights)
    valid = held.items != PAD
    pushes = _about(book.pushes(task), held, book, pool.states)
    pins = _about(book.pins(task), held, book, pool.states)
    spreads = [(rule, book.in_force(rule, pool.states)) for rule in book.diversities(task)]
    pushed = _pushed(pushes, held, totals(held.parts, valid))
    silent = np.zeros((*held.items.shape, len(pins) + len(spreads)), dtype=np.float32)
    parts = np.concatenate([held.parts, pushed, silent], axis=2)
    total = totals(parts, valid)
    best = pool.best(total[:, : held.recalled], held.recalled)
    arranger = Arranger(book.likeness, held.items, total, best)
    order, fired = arranger.arrange([Slot(rule.position, matched) for rule, matched in pins], spreads, k)
    names = [rule.name for rule, _ in (*pushes, *pins, *spreads)]
    before = np.zeros((*order.shape, parts.shape[2] - fired.shape[2]), dtype=bool)
    marks = np.concatenate([before, fired], axis=2)
    return in_order(held.items, total, parts, (*held.names, *(PREFIX + name for name in names)), order, marks)


def _met(pool: Pool) -> Bools:
    if pool.context is None:
        return np.zeros(pool.candidates.shape, dtype=bool)
    return np.asarray(pool.context[:, :, MET] > 0)


def _about(
    rules: Sequence[tuple[R, Bools]], held: _Candidates, book: Rulebook, states: UserStates
) -> list[tuple[R, Bools]]:
    """The rules that are in force for any question, each with the (n, m) candidates that it is about."""
    found = []
    for rule, mask in rules:
        where = book.in_force(rule, states)
        if where.any():
            matched = mask[held.items] & (held.items != PAD) & where[:, None]
            found.append((rule, matched & held.met if rule.met else matched))
    return found


def _pushed(rules: Sequence[tuple[Boost | Bury, Bools]], held: _Candidates, total: Floats) -> Floats:
    """(n, m, R) what boosts and burials add; together at most the distance between the best and the worst candidate."""
    own = total[:, : held.recalled]
    best = own.max(axis=1, initial=-np.inf, keepdims=True)
    worst = np.where(np.isneginf(own), np.inf, own).min(axis=1, initial=np.inf, keepdims=True)
    unit = np.where(best > worst, best - worst, 1.0)
    parts = np.zeros((*held.items.shape, len(rules)), dtype=np.float64)
    for place, (rule, matched) in enumerate(rules):
        parts[..., place] = matched * (rule.by if isinstance(rule, Boost) else -rule.by)
    asked = np.abs(parts.sum(axis=2, keepdims=True))
    return np.asarray(parts / np.maximum(asked, 1.0) * unit[:, :, None], dtype=np.float32)
