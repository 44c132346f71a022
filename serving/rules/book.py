"""Rules bound to a catalogue: what depends on items alone is an array, so that a request pays for none of it."""

import logging
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from scipy import sparse

from components.common import columns as c
from components.common.moments import EPOCH
from serving.arrays import PAD, Bools, Floats, Ints, Longs
from serving.catalogue import Catalogue
from serving.filters import allowed
from serving.hidden import Hidden
from serving.rules.conditions import item_condition, items_where, user_condition, users_where
from serving.rules.likeness import Likeness
from serving.rules.schema import Boost, Bury, Diversify, Filter, ItemRule, Pin, Rule, Rules
from serving.sparse import SparseRows
from serving.states import UserStates

log = logging.getLogger(__name__)

KEPT = 64  # sets of rules in force together whose items are kept
PIN_REACH = 20  # a pin of at most so many items finds them though no channel recalled them


class Rulebook:
    """The rules of one engine."""

    def __init__(
        self,
        rules: Rules,
        catalogue: Catalogue,
        vectors: Floats | None = None,
        rivals: sparse.csr_matrix | None = None,
    ) -> None:
        """Bind *rules* to a catalogue.

        Args:
            rules: to follow.
            catalogue: the items.
            vectors: (n_items, d), in which items that the same users take are near.
            rivals: (n_items, n_items) above 0 from an item to what stands in for it; None: nothing is known to.
        """
        self.rules, self.likeness = rules, Likeness(catalogue, vectors)
        self._rivals = None if rivals is None else SparseRows(rivals)
        self._items = len(catalogue)
        self._masks: dict[str, Bools] = {}
        self._joined = lru_cache(KEPT)(self._join)
        self._given = {rule.name: catalogue.index(list(rule.given)) for rule in rules.rules}
        for rule in rules.rules:
            if isinstance(rule, Diversify):
                self.likeness.prepare(rule.over, rule.level)
            else:
                self._masks[rule.name] = mask_of(rule, catalogue)
                if not isinstance(rule, Filter) and not self._masks[rule.name].any():
                    log.warning("rule '%s' is about no item of this catalogue", rule.name)

    def hides_met(self, task: str) -> bool:
        """Is nothing that a user has met ever shown in *task*."""
        return any(
            isinstance(rule, Filter) and rule.met and not (rule.category or rule.items) and _always(rule)
            for rule in self._of(task)
        )

    def hidden(self, task: str, states: UserStates) -> Hidden:
        """What the filters leave out for each of n questions."""
        everywhere, blocks, pairs = [], [], []
        for rule in self._of(task):
            if not isinstance(rule, Filter):
                continue
            mask, held = self._masks[rule.name], self.in_force(rule, states)
            if rule.substitutes:
                pairs.append(self._substitutes(mask, held, states))
            elif rule.met:
                own = mask[states.items] & held[states.row_of]
                pairs.append((states.row_of[own], states.items[own]))
            elif held.all():
                everywhere.append(rule.name)
            elif held.any():
                blocks.append((np.flatnonzero(held), mask))
        return Hidden(*self._joined(tuple(everywhere)), tuple(blocks), tuple(pairs))

    def _join(self, names: tuple[str, ...]) -> tuple[Bools, Longs]:
        """The (n_items,) items of any of the rules *names*, and their rows."""
        mask = np.zeros(self._items, dtype=bool)
        for name in names:
            mask |= self._masks[name]
        return mask, np.flatnonzero(mask)

    def _substitutes(self, mask: Bools, held: Bools, states: UserStates) -> tuple[Longs, Ints]:
        """Pairs of a question and what stands in for one of its items, of the questions *held* and the items *mask*."""
        if self._rivals is None:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        asked = held[states.row_of].astype(np.float32)
        found = self._rivals.product(states.weighted(asked))
        rows = np.repeat(np.arange(len(states)), np.diff(found.indptr))
        kept = mask[found.columns] & (found.weights > 0)
        return rows[kept], found.columns[kept]

    def pushes(self, task: str) -> list[tuple[Boost | Bury, Bools]]:
        """What boosts and buries in *task*, with the (n_items,) items of its `category` and `items`."""
        return [(rule, self._masks[rule.name]) for rule in self._of(task) if isinstance(rule, Boost | Bury)]

    def pins(self, task: str) -> list[tuple[Pin, Bools]]:
        """What pins in *task*, with the (n_items,) items of its `category` and `items`."""
        return [(rule, self._masks[rule.name]) for rule in self._of(task) if isinstance(rule, Pin)]

    def diversities(self, task: str) -> list[Diversify]:
        """What spreads the list in *task*."""
        return [rule for rule in self._of(task) if isinstance(rule, Diversify)]

    def orders(self, task: str) -> bool:
        """Does any rule of *task* do more than hide items."""
        return any(not isinstance(rule, Filter) for rule in self._of(task))

    def pinned(self, task: str, states: UserStates) -> Ints:
        """(n, e) catalogue rows that pins in force ask for whether recalled or not, each once; -1 is padding."""
        few = [(rule, mask) for rule, mask in self.pins(task) if 0 < np.count_nonzero(mask) <= PIN_REACH]
        if not few:
            return np.empty((len(states), 0), dtype=np.int32)
        columns = np.flatnonzero(np.logical_or.reduce([mask for _, mask in few])).astype(np.int32)
        wanted = np.zeros((len(states), len(columns)), dtype=bool)
        for rule, mask in few:
            wanted |= self.in_force(rule, states)[:, None] & mask[columns]
        return np.where(wanted, columns, PAD).astype(np.int32)

    def in_force(self, rule: Rule, states: UserStates) -> Bools:
        """(n,) is the rule in force at each question's own moment, for its user and what it holds."""
        held = np.ones(len(states), dtype=bool)
        if rule.starts_at is not None:
            held &= states.as_of >= _microsecond(rule.starts_at)
        if rule.ends_at is not None:
            held &= states.as_of < _microsecond(rule.ends_at)
        for item in self._given[rule.name]:
            held &= np.bincount(states.row_of[states.items == item], minlength=len(states)) > 0
        if rule.when is not None and held.any():
            held[held] = users_where(user_condition(rule.when), states.take(np.flatnonzero(held)))
        return held

    def _of(self, task: str) -> list[Rule]:
        return [rule for rule in self.rules.rules if rule.is_for(task)]


def mask_of(rule: ItemRule, catalogue: Catalogue) -> Bools:
    """(n_items,) the items of a rule's `category` and `items`; `met` is asked per question."""
    mask = allowed(catalogue, {c.CATEGORY: rule.category} if rule.category else None)
    if rule.items is not None:
        mask &= items_where(item_condition(rule.items), catalogue)
    return mask


def _always(rule: Rule) -> bool:
    return not (rule.when or rule.given or rule.starts_at or rule.ends_at)


def _microsecond(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
