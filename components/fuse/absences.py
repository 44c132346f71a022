"""What serves while a member is absent: a blend that was fitted without it."""

from collections.abc import Mapping, Sequence

import numpy as np

from components.common.stage import progress
from components.fuse.lists import Lists
from components.fuse.methods import SINGLE, single
from components.fuse.options import Options
from components.fuse.stacker import at_full_strength
from serving.blend import Blend

ATTENTION = "attention"
ABSENT_LISTS = 2_000  # of evenly spread lists a blend without one member learns


def with_absences(
    blend: Blend, lists: Lists, ranked: Sequence[str], families: Mapping[str, str], options: Options
) -> Blend:
    """The chosen blend with weights for the absence of each member that has a say in it.

    The same method is fitted again without the member, its networks from where those of the blend ended, of an ensemble
    only the networks. Where it cannot be (it was `single`, or `alpha` lost its last deep member), the best of the
    others stands in. A prior needs nothing: its other weights just grow.
    """
    without = {}
    some = lists.take(np.arange(0, len(lists), 1 + (len(lists) - 1) // ABSENT_LISTS)) if len(lists) else lists
    for number, name in enumerate(lists.members):
        fitted = _fitted_without(name, blend, some, ranked, families, options) if _has_a_say(name, blend) else None
        progress("fuse", number + 1, len(lists.members))
        if fitted is not None:
            without[name] = fitted
    return blend.model_copy(update={"without": without})


def _has_a_say(name: str, blend: Blend) -> bool:
    second = blend.trees is not None or blend.gate is not None or blend.attention is not None
    return second or any(blend.weights[blend.members.index(name)])


def _fitted_without(
    name: str, blend: Blend, lists: Lists, ranked: Sequence[str], families: Mapping[str, str], options: Options
) -> Blend | None:
    rest = [member for member in ranked if member != name]
    left = tuple(member for member in lists.members if member != name)
    pair = pair_of(rest, families)
    known = options.methods(left, pair, lists.moments, begin=at_full_strength(blend)) if len(lists) else {}
    kind = ATTENTION if blend.kind == "ensemble" and ATTENTION in known else blend.kind
    if kind in known:
        return known[kind](lists.drop(name))
    single_stands_in = rest and (blend.kind.startswith(SINGLE) or blend.kind == "alpha")
    return single(rest[0], left) if single_stands_in else None


def pair_of(ranked: Sequence[str], families: Mapping[str, str]) -> tuple[str, str] | None:
    """The best deep and the best collaborative member of *ranked* ones, the best first; None where one is lacking."""
    deep = [name for name in ranked if families.get(name) == "deep"]
    cf = [name for name in ranked if families.get(name) == "cf"]
    return (deep[0], cf[0]) if deep and cf else None
