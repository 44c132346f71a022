"""From an order by score to the positions that pins and diversity ask for; scores are only read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from serving.arrays import PAD, Bools, Floats, Ints
from serving.rules.likeness import Likeness
from serving.rules.schema import Diversify


class Slot(NamedTuple):
    """A pin: position from 1, and matched: (n, m) the candidates of which the best-scored stands there."""

    position: int
    matched: Bools


class Arranger:
    """Arranges one batch.

    items: (n, m) catalogue rows. total: (n, m) scores. best: (n, c) places of the recalled candidates, best first, -1
    after the last; places beyond them are shown only by a pin.
    """

    def __init__(self, likeness: Likeness, items: Ints, total: Floats, best: Ints) -> None:
        self._likeness, self._items, self._total, self._best = likeness, items, total, best

    def arrange(self, pins: Sequence[Slot], spreads: Sequence[tuple[Diversify, Bools]], k: int) -> tuple[Ints, Bools]:
        """Give every question its order.

        Args:
            pins: the earlier one has its position, the later one the next free one; an item is pinned once.
            spreads: rules with (n,) where they are in force; the first one in force is followed.
            k: how many places.

        Returns:
            (n, k) places, -1 after the last, and (n, k, len(pins) + len(spreads)) by which rule an item stands there.
        """
        n = len(self._best)
        order = np.full((n, k), PAD, dtype=np.int32)
        fired = np.zeros((n, k, len(pins) + len(spreads)), dtype=bool)
        plain = self._best[:, :k]
        order[:, : plain.shape[1]] = plain
        for row in range(n):
            held = self._pinned(row, pins)
            spread = next((place for place, (_, where) in enumerate(spreads) if where[row]), None)
            if not held and spread is None:
                continue
            rule = None if spread is None else spreads[spread][0]
            listed, by = self._listed(row, held, rule, len(pins) + (spread or 0))
            order[row], listed, by = PAD, listed[:k], by[:k]
            order[row, : len(listed)] = listed
            for place, number in enumerate(by):
                if number >= 0:
                    fired[row, place, number] = True
        return order, fired

    def _pinned(self, row: int, pins: Sequence[Slot]) -> dict[int, tuple[int, int]]:
        """By position (from 0): the place that stands there and the number of its pin."""
        held: dict[int, tuple[int, int]] = {}
        if not any(pin.matched[row].any() for pin in pins):
            return held
        known = self._best[row][self._best[row] != PAD]
        beyond = np.arange(self._best.shape[1], self._items.shape[1])
        ranked = np.concatenate([known, beyond[self._items[row, beyond] != PAD]])
        ranked = ranked[np.argsort(-self._total[row, ranked], kind="stable")]
        for number, pin in enumerate(pins):
            taken = [place for place, _ in held.values()]
            free = ranked[pin.matched[row, ranked] & ~np.isin(ranked, taken)]
            if len(free):
                position = pin.position - 1
                while position in held:
                    position += 1
                held[position] = int(free[0]), number
        return held

    def _listed(
        self, row: int, held: dict[int, tuple[int, int]], rule: Diversify | None, number: int
    ) -> tuple[list[int], list[int]]:
        """All places in order, and of each the rule by which it stands there, -1 for none."""
        known = self._best[row][self._best[row] != PAD]
        known = known[~np.isin(known, [place for place, _ in held.values()])]
        window = _free_before(held, rule.first) if rule else 0
        head, whole = known[:0], True
        jumped: list[bool] = []
        if rule is not None and window:
            fixed = [place for position, (place, _) in held.items() if position < rule.first]
            head, jumped, whole = self._spread(row, known, fixed, rule, window)
        rest = known[~np.isin(known, head)] if whole else known[:0]
        marks = [number if moved else -1 for moved in jumped] + [-1] * len(rest)
        return _merged(held, [int(place) for place in (*head, *rest)], marks)

    def _spread(
        self, row: int, known: Ints, fixed: list[int], rule: Diversify, window: int
    ) -> tuple[Ints, list[bool], bool]:
        """The places for the free positions of the window, which of them passed a better one by, and was it filled."""
        items = self._items[row, known]
        others = self._items[row, fixed]
        caps = self._caps(rule, items, others)
        worth, alike = self._worth(row, known), np.zeros(len(known), dtype=np.float32)
        weight = rule.mmr or 0.0
        for other in others if weight else ():
            alike = np.maximum(alike, self._likeness.to(items, int(other), rule.over))
        left = np.ones(len(known), dtype=bool)
        head: list[int] = []
        jumped: list[bool] = []
        while len(head) < window and left.any():
            open_ = left & np.logical_and.reduce([cap.open() for cap in caps], axis=0) if caps else left
            if not open_.any():
                return known[head], jumped, False
            values = np.where(open_, (1 - weight) * worth - weight * alike, -np.inf)
            chosen = int(np.argmax(values))
            jumped.append(chosen != int(np.argmax(left)))
            head.append(chosen)
            left[chosen] = False
            for cap in caps:
                cap.take(chosen)
            if weight:
                alike = np.maximum(alike, self._likeness.to(items, int(items[chosen]), rule.over))
        return known[head], jumped, True

    def _worth(self, row: int, known: Ints) -> Floats:
        """(m,) the scores between 0 for the worst and 1 for the best."""
        own = self._total[row, known]
        span = float(np.ptp(own)) if len(own) else 0.0
        return np.asarray((own - own.min()) / span if span > 0 else np.ones_like(own), dtype=np.float32)

    def _caps(self, rule: Diversify, items: Ints, others: Ints) -> list["_Cap"]:
        """The caps of a rule, with what is shown already counted; where all items are of one group it says nothing."""
        found: list[tuple[Ints, int]] = []
        if rule.per_category is not None:
            found.append((self._likeness.categories(rule.level), rule.per_category))
        if rule.per_brand is not None:
            found.append((self._likeness.brands, rule.per_brand))
        return [_Cap(of[items], most, of[others]) for of, most in found if len(np.unique(of[items])) > 1]


class _Cap:
    """At most *most* of one group; groups: (m,) of the candidates, shown: of what stands; -1: none, not counted."""

    def __init__(self, groups: Ints, most: int, shown: Ints) -> None:
        self._groups = groups
        self._left = np.full(int(max(groups.max(initial=0), shown.max(initial=0))) + 2, most)  # the last one is of -1
        self._left[-1] = np.iinfo(np.int64).max
        for group in shown:
            self._left[group] -= 1

    def take(self, chosen: int) -> None:
        """The candidate *chosen* is shown."""
        self._left[self._groups[chosen]] -= 1

    def open(self) -> Bools:
        """(m,) may it still be shown."""
        return np.asarray(self._left[self._groups] > 0)


def _free_before(held: dict[int, tuple[int, int]], first: int) -> int:
    return first - sum(position < first for position in held)


def _merged(held: dict[int, tuple[int, int]], free: list[int], marks: list[int]) -> tuple[list[int], list[int]]:
    """Pinned places at their positions, the free ones in between; pins beyond the end follow at once."""
    places, by = [], []
    pinned, upcoming = dict(held), iter(zip(free, marks, strict=True))
    position = 0
    one = next(upcoming, None)
    while one is not None or pinned:
        if position in pinned or one is None:
            at = position if position in pinned else min(pinned)
            place, number = pinned.pop(at)
        else:
            (place, number), one = one, next(upcoming, None)
        places.append(place)
        by.append(number)
        position += 1
    return places, by
