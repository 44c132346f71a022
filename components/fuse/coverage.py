"""How much of the catalogue a blend shows, and what may be given for it.

Three things decide: which method serves, its `reach`, by which the popular is held back, and its `seats`, the last
places that go to what few buy (serving.breadth).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.fuse.choice import mean, promised
from components.fuse.judging import Doubles, K, depth_of, ndcg_in_order
from components.fuse.lists import FitSet
from serving.arrays import PAD, Ints, Longs, top_k
from serving.blend import Blend
from serving.breadth import held_back, liked, popular, seated
from serving.evidence import Evidence
from serving.verdict import totals

BROAD = 1 / 3  # of the catalogue: a shop with more users than items whose best member shows as much lives from breadth
SPARE = {True: 0.08, False: 0.05}  # share of the best NDCG that may be given; in a broad shop, in others
WIDE = {True: 1.0, False: 0.8}  # of the items that the best member alone shows: as many are enough
REACHES = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)  # how far the popular may be held back, the first: not at all
SEATS = (0, 1, 2, 3)  # how many of the first ten places may go to what few buy


class Option(NamedTuple):
    """A method, its reach and its seats."""

    method: str
    reach: float
    seats: int


@dataclass(frozen=True)
class Trade:
    """worth: mean NDCG@10. covers: distinct items among the first ten that all users would be shown."""

    worth: float
    covers: float


@dataclass
class Shown:
    """What an option has shown so far. counts: (n_items,) in how many lists. worth: NDCG@10 of the lists."""

    counts: Longs
    worth: list[Doubles] = field(default_factory=list)


def trades(
    sets: Sequence[FitSet],
    folds: list[npt.NDArray[np.int64]],
    tables: Sequence[Mapping[str, Blend]],
    host: str,
    everyone: int = 0,
) -> dict[Option, Trade]:
    """What every method is worth and covers at every reach with any seats, each list under the blend of its own fold.

    Sets without contexts know no catalogue rows and show nothing.

    Args:
        sets: the lists.
        folds: of each set, the fold of every list.
        tables: by fold, the methods' blends.
        host: the member whose candidates take the seats.
        everyone: how many users the shop has; of fewer lists what all of them would be shown is estimated.
    """
    n_items = catalogue_size(sets)
    found: dict[Option, Shown] = {}
    for fit, fold in zip(sets, folds, strict=True):
        for held_out, table in enumerate(tables):
            for rows, evidence in fit.chunks(np.flatnonzero(fold == held_out)):
                part = fit.take(rows)
                for option, order in _orders(part, evidence, table, host):
                    shown = found.setdefault(option, Shown(np.zeros(n_items, dtype=np.int64)))
                    shown.worth.append(ndcg_in_order(part, order))
                    shown.counts += _counted(part, order[:, :K], n_items)
    lists = sum(map(len, sets))
    return {
        option: Trade(mean(np.concatenate(shown.worth)), expected(shown.counts, lists, max(everyone, lists)))
        for option, shown in found.items()
    }


def _orders(part: FitSet, evidence: Evidence, table: Mapping[str, Blend], host: str) -> Iterator[tuple[Option, Ints]]:
    best, sold = liked(evidence, host), popular(evidence)
    for name, blend in table.items():
        total = totals(blend, evidence)
        back = held_back(evidence, total)
        for reach in REACHES:
            scores = np.where(part.valid, total - np.float32(reach) * back, np.float32(-np.inf))
            order = top_k(scores, depth_of(part))
            for seats in SEATS:
                yield Option(name, reach, seats), seated(order, best, sold, seats)


def expected(counts: Longs, lists: int, everyone: int) -> float:
    """How many distinct items *everyone* would be shown, if so many more lists were like those that are known.

    What no list has shown yet is estimated from what one and what two have shown: Chao et al. (2014), "Rarefaction and
    extrapolation with Hill numbers", for incidences.

    Args:
        counts: (n_items,) in how many lists each item is.
        lists: how many lists there are.
        everyone: how many there would be, at least *lists*.
    """
    seen, once, twice = (counts > 0).sum(), (counts == 1).sum(), (counts == 2).sum()
    if everyone <= lists or not once:
        return float(seen)
    unseen = (lists - 1) / lists * (once**2 / (2 * twice) if twice else once * (once - 1) / 2)
    unseen = min(unseen, len(counts) - seen)
    if unseen <= 0:
        return float(seen)
    return float(seen + unseen * (1 - (1 - once / (lists * unseen + once)) ** (everyone - lists)))


def widest(found: Mapping[Option, Trade], member: str, n_items: int, users: int) -> Option:
    """The best method, reach and seats, unless they show far fewer items than the best member alone and others do not.

    Those others must be nearly as good as the best. Of those that show enough the best is taken; where none does, in a
    broad shop the one that shows most.

    Args:
        found: by option. They hold the best member alone, too.
        member: its name.
        n_items: of the catalogue.
        users: of the shop. Where they are fewer than the items, not everything can be shown to somebody who cares.
    """
    alone = found[Option(member, REACHES[0], SEATS[0])].covers
    broad = alone >= BROAD * n_items > 0 and users > n_items
    worth = {option: promised(option.method) * trade.worth for option, trade in found.items()}
    best = max(worth, key=lambda option: worth[option])
    enough, spared = WIDE[broad] * alone, (1 - SPARE[broad]) * worth[best]
    near = [option for option in found if worth[option] >= spared]
    wide = [option for option in near if found[option].covers >= enough]
    if wide:
        return max(wide, key=lambda option: worth[option])
    return max(near, key=lambda option: found[option].covers) if broad else best


def spread(blend: Blend, reach: float, seats: int, host: str) -> Blend:
    """*blend*, and those it holds for absent members, with a reach, and with seats where the host is there."""
    without = {name: spread(other, reach, seats, host) for name, other in blend.without.items()}
    takes = seats if host in blend.members else 0
    return blend.model_copy(update={"reach": reach, "seats": takes, "host": host if takes else "", "without": without})


def catalogue_size(sets: Sequence[FitSet]) -> int:
    """How many items there are; 0 where the sets know no catalogue."""
    return max((len(fit.contexts.reader.catalogue) for fit in sets if fit.contexts is not None), default=0)


def _counted(fit: FitSet, order: Ints, n_items: int) -> Longs:
    """(n_items,) in how many of the lists each is at the places *order*."""
    if fit.contexts is None:
        return np.zeros(n_items, dtype=np.int64)
    rows = np.take_along_axis(fit.contexts.candidates, np.maximum(order, 0), axis=1)
    return np.bincount(rows[order != PAD], minlength=n_items)
