"""How much of the catalogue a blend shows, and what may be given for it."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from components.fuse.lists import FitSet
from serving.arrays import PAD, top_k
from serving.blend import Blend, apply

K = 10
SPARE = 0.05  # share of the best NDCG that a blend may lack that shows more of the catalogue
WIDE = 0.9  # of the items that the best member alone shows: as many are enough


def shown(
    sets: Sequence[FitSet], folds: list[npt.NDArray[np.int64]], tables: Sequence[Mapping[str, Blend]]
) -> dict[str, int]:
    """By method: distinct items among the first ten of all lists, each under the blend of its own fold.

    Sets without contexts know no catalogue rows and show nothing.
    """
    items: dict[str, list[npt.NDArray[np.int32]]] = {name: [] for name in tables[0]}
    for fit, fold in zip(sets, folds, strict=True):
        if fit.contexts is None:
            continue
        for held_out, table in enumerate(tables):
            for rows, evidence in fit.chunks(np.flatnonzero(fold == held_out)):
                for name, blend in table.items():
                    total = np.where(evidence.valid, apply(blend, evidence).sum(axis=2), np.float32(-np.inf))
                    order = top_k(total, K)
                    found = np.take_along_axis(fit.contexts.candidates[rows], np.maximum(order, 0), axis=1)
                    items[name].append(np.unique(found[order != PAD]))
    return {name: len(np.unique(np.concatenate(parts))) if parts else 0 for name, parts in items.items()}


def wide_enough(worth: Mapping[str, float], covers: Mapping[str, int], chosen: str, member: str) -> str:
    """*chosen*, unless it shows far fewer items than the best member alone and a blend nearly as good does not.

    Args:
        worth: by method, its NDCG.
        covers: by method, and for *member*, how many items it shows.
        chosen: the best method.
        member: the name of the best member alone.
    """
    enough = WIDE * covers[member]
    if covers[chosen] >= enough:
        return chosen
    wide = [name for name in worth if worth[name] >= (1 - SPARE) * worth[chosen] and covers.get(name, 0) >= enough]
    return max(wide, key=lambda name: worth[name], default=chosen)
