"""What serves while a member is absent: a blend that was fitted without it."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from components.common.ranking import ndcg_at
from components.common.stage import progress
from components.fuse.attention import only
from components.fuse.choice import mean
from components.fuse.heads import DEPTH, L2
from components.fuse.judging import K
from components.fuse.lists import USED, Lists, table
from components.fuse.methods import SINGLE, single
from components.fuse.options import Options
from components.fuse.softmax import Listwise, fit_free
from components.fuse.stacker import at_full_strength
from serving.arrays import PAD, Floats, top_k
from serving.blend import Blend
from serving.verdict import totals

Doubles = npt.NDArray[np.float64]
MUCH = 0.15  # of NDCG@10: where the weights lose as much, what the blend learned beside the member holds no longer
ABSENT_LISTS = 2_000  # of evenly spread lists a blend without one member learns


def with_absences(
    blend: Blend, lists: Lists, ranked: Sequence[str], families: Mapping[str, str], options: Options, kind: str
) -> Blend:
    """The chosen blend with weights for the absence of each member that has a say in it.

    A gate and networks begin as they are in the blend, see `moved`; trees, which are split where members are, are
    learned again over them. Other methods are fitted again without the member, and those too that had learned much
    beside it. Where they cannot be (it was `single`, or `alpha` lost its
    last deep member), the best of the others stands in. A prior needs nothing: its other weights just grow.

    Args:
        blend: the chosen one.
        lists: to learn from.
        ranked: the members, the best alone first.
        families: by member, its family.
        options: how to fit.
        kind: the method of the blend.
    """
    without = {}
    some = lists.take(np.arange(0, len(lists), 1 + (len(lists) - 1) // ABSENT_LISTS)) if len(lists) else lists
    whole = _worth(blend, some) if _is_rich(blend) and len(lists) else 0.0
    for number, name in enumerate(lists.members):
        fitted = (
            _fitted_without(name, blend, whole, (some, lists), ranked, families, options, kind)
            if _has_a_say(name, blend)
            else None
        )
        progress("fuse", number + 1, len(lists.members))
        if fitted is not None:
            without[name] = fitted
    return blend.model_copy(update={"without": without})


def _has_a_say(name: str, blend: Blend) -> bool:
    return _is_rich(blend) or any(blend.weights[blend.members.index(name)])


def _worth(blend: Blend, lists: Lists) -> float:
    """Mean NDCG@10 of the lists themselves by its gated weights alone: a second level learns many of them by heart."""
    gated = blend.model_copy(update={"trees": None, "attention": None})
    order = top_k(np.where(lists.valid, totals(gated, lists.evidence()), np.float32(-np.inf)), K)
    grades = np.log2(1 + np.take_along_axis(lists.gain, np.maximum(order, 0), axis=1))
    return mean(ndcg_at(np.where(order == PAD, 0, grades), (lists.gain > 0).sum(axis=1), K))


def _is_rich(blend: Blend) -> bool:
    return blend.trees is not None or blend.gate is not None or blend.attention is not None


def moved(blend: Blend, lists: Lists) -> Blend:
    """*blend* over the members of *lists* alone, its weights moved to where they rank those best.

    What the gate and the networks know of the others stays; only the weights that are the same for everybody move.
    """
    places = [blend.members.index(name) for name in lists.members]
    kept = Blend(
        kind=blend.kind,
        members=lists.members,
        weights=tuple(blend.weights[place] for place in places),
        gate=None if blend.gate is None else blend.gate.of(places),
    )
    scores = np.where(lists.valid, totals(kept, lists.evidence()), np.float32(-np.inf))
    weights = kept.table + np.array(table(_shift(lists, scores), USED))
    networks = at_full_strength(blend)
    return kept.model_copy(
        update={
            "weights": tuple(map(tuple, weights.tolist())),
            "attention": None if networks is None else only(networks, lists.members),
        }
    )


def _shift(lists: Lists, scores: Floats) -> Doubles:
    """(K, len(USED)) what to add to the weights, learned on the heads of the lists by their *scores* (n, c)."""
    best = top_k(scores, DEPTH)
    places = np.maximum(best, 0).astype(np.intp)
    gain = np.where(best == PAD, np.float32(0), np.take_along_axis(lists.gain, places, axis=1))
    rows = np.flatnonzero(gain.any(axis=1))
    if not len(rows):
        return np.zeros((len(lists.members), len(USED)))
    begun = np.where(best == PAD, np.float32(-np.inf), np.take_along_axis(scores, places, axis=1))
    x = np.take_along_axis(lists.x.reshape(*lists.gain.shape, -1)[rows], places[rows, :, None], axis=1)
    learned = Listwise(x.reshape(-1, x.shape[2]), gain[rows] / gain[rows].sum(axis=1, keepdims=True), begun[rows])
    return fit_free(learned, L2, start=0.0).reshape(-1, len(USED))


def _fitted_without(
    name: str,
    blend: Blend,
    whole: float,
    some_and_all: tuple[Lists, Lists],
    ranked: Sequence[str],
    families: Mapping[str, str],
    options: Options,
    kind: str,
) -> Blend | None:
    lists, every = some_and_all
    rest = [member for member in ranked if member != name]
    left = tuple(member for member in lists.members if member != name)
    pair, less = pair_of(rest, families), lists.drop(name)
    begin = moved(blend, less) if _is_rich(blend) and len(lists) else None
    if begin is not None and _worth(begin, less) < (1 - MUCH) * whole:
        begin, less = None, every.drop(name)
    known = options.methods(left, pair, lists.moments, begin=begin) if len(lists) else {}
    if kind in known:
        return known[kind](less)
    single_stands_in = rest and (kind.startswith(SINGLE) or kind == "alpha")
    return single(rest[0], left) if single_stands_in else None


def pair_of(ranked: Sequence[str], families: Mapping[str, str]) -> tuple[str, str] | None:
    """The best deep and the best collaborative member of *ranked* ones, the best first; None where one is lacking."""
    deep = [name for name in ranked if families.get(name) == "deep"]
    cf = [name for name in ranked if families.get(name) == "cf"]
    return (deep[0], cf[0]) if deep and cf else None
