"""How much of the catalogue a blend shows, and what may be given for it.

Two things decide: which method serves, and its `reach`, by which the popular is held back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.fuse.choice import mean
from components.fuse.judging import Doubles, K, depth_of, ndcg_in_order
from components.fuse.lists import FitSet
from serving.arrays import PAD, Floats, Ints, top_k
from serving.blend import Blend, held_back
from serving.totals import totals

BROAD = 1 / 3  # of the catalogue: a shop whose best member alone shows as much lives from its breadth
SPARE = {True: 0.08, False: 0.05}  # share of the best NDCG that may be given; in a broad shop, in others
WIDE = {True: 1.0, False: 0.8}  # of the items that the best member alone shows: as many are enough
REACHES = (
    0.0,
    0.5,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    3.5,
    4.0,
    4.5,
    5.0,
    6.0,
)  # how far the popular may be held back, the first: not at all
Option = tuple[str, float]  # a method and its reach


@dataclass(frozen=True)
class Trade:
    """worth: mean NDCG@10. covers: distinct items among the first ten of all lists."""

    worth: float
    covers: int


def trades(
    sets: Sequence[FitSet], folds: list[npt.NDArray[np.int64]], tables: Sequence[Mapping[str, Blend]]
) -> dict[Option, Trade]:
    """What every method is worth and covers at every reach, each list under the blend of its own fold.

    Sets without contexts know no catalogue rows and show nothing.
    """
    worth: dict[Option, list[Doubles]] = {}
    items: dict[Option, list[npt.NDArray[np.int32]]] = {}
    for fit, fold in zip(sets, folds, strict=True):
        for held_out, table in enumerate(tables):
            for rows, evidence in fit.chunks(np.flatnonzero(fold == held_out)):
                part = fit.take(rows)
                for name, blend in table.items():
                    total = totals(blend, evidence)
                    back = held_back(evidence, total)
                    for reach in REACHES:
                        order = _order(part, total - np.float32(reach) * back)
                        worth.setdefault((name, reach), []).append(ndcg_in_order(part, order))
                        items.setdefault((name, reach), []).append(_shown(part, order[:, :K]))
    return {
        option: Trade(mean(np.concatenate(parts)), len(np.unique(np.concatenate(items[option]))))
        for option, parts in worth.items()
    }


def widest(found: Mapping[Option, Trade], member: str, n_items: int) -> Option:
    """The best method and reach, unless they show far fewer items than the best member alone and others do not.

    Those others must be nearly as good as the best. Of those that show enough the best is taken; where none does, in a
    broad shop the one that shows most.

    Args:
        found: by method and reach. They hold the best member alone, too.
        member: its name.
        n_items: of the catalogue.
    """
    alone = found[member, REACHES[0]].covers
    broad = alone >= BROAD * n_items > 0
    best = max(found, key=lambda option: found[option].worth)
    enough, spared = WIDE[broad] * alone, (1 - SPARE[broad]) * found[best].worth
    near = [option for option, trade in found.items() if trade.worth >= spared]
    wide = [option for option in near if found[option].covers >= enough]
    if wide:
        return max(wide, key=lambda option: found[option].worth)
    return max(near, key=lambda option: found[option].covers) if broad else best


def reaching(blend: Blend, reach: float) -> Blend:
    """*blend*, and those it holds for absent members, with *reach*."""
    without = {name: reaching(other, reach) for name, other in blend.without.items()}
    return blend.model_copy(update={"reach": reach, "without": without})


def catalogue_size(sets: Sequence[FitSet]) -> int:
    """How many items there are; 0 where the sets know no catalogue."""
    return max((len(fit.contexts.reader.catalogue) for fit in sets if fit.contexts is not None), default=0)


def _order(fit: FitSet, scores: Floats) -> Ints:
    return top_k(np.where(fit.valid, scores, np.float32(-np.inf)), depth_of(fit))


def _shown(fit: FitSet, order: Ints) -> Ints:
    """Distinct catalogue rows at the places *order* of the lists."""
    if fit.contexts is None:
        return np.zeros(0, dtype=np.int32)
    rows = np.take_along_axis(fit.contexts.candidates, np.maximum(order, 0), axis=1)
    return np.unique(rows[order != PAD])
