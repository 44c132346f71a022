"""The missing-member matrix and the ablation of families, from lists made without them."""

from typing import Any

from benchmarks.quality.absent import FAMILIES
from benchmarks.quality.lists import FUSED, MEMBER, REFIT, SERVED, WITHOUT, common, named
from benchmarks.quality.pooled import Numbers, Pooled, best
from components.evaluate.metrics import mean


def matrix(pooled: Pooled) -> dict[str, Numbers]:
    """By member taken away at serving time, as far as new fits are asked for of the windows that have them.

    Returns:
        {"served": NDCG@10 of the blend without it, "refit": of one learned again, "best_remaining": the name of the
        best of the others, "over_best_remaining", "over_refit": gains of what is served, "adds": gain of the whole
        blend over the new fit}.
    """
    newest, found = refitted(pooled), {}
    for name in common(pooled.windows, SERVED):
        served, refit = pooled.values(named(SERVED, name)), newest.values(named(REFIT, name))
        others = [other for other in pooled.names(MEMBER) if other != named(MEMBER, name)]
        leader = max(others, key=lambda other: mean(pooled.values(other)) or 0.0)
        found[name] = {
            "served": mean(served),
            "refit": mean(refit),
            "best_remaining": leader.removeprefix(f"{MEMBER}/"),
            "over_best_remaining": pooled.gain(served, pooled.values(leader)),
            "over_refit": newest.gain(newest.values(named(SERVED, name)), refit),
            "adds": newest.gain(newest.values(FUSED), refit),
        }
    return found


def refitted(pooled: Pooled) -> Pooled:
    """The windows whose blends were learned again without single members."""
    return Pooled(tuple(window for window in pooled.windows if window.names(REFIT)), pooled.seed)


def ablation(pooled: Pooled) -> dict[str, Numbers | None]:
    """By family: a blend refitted without it against the whole one; below zero where the family contributes."""
    fused = pooled.values(FUSED)
    known = common(pooled.windows, WITHOUT)
    return {
        family: pooled.gain(pooled.values(named(WITHOUT, family)), fused) if family in known else None
        for family in FAMILIES
    }


def against_best(pooled: Pooled) -> dict[str, Any]:
    """The sample's own whole blend and best member, so that the matrix can be read by itself."""
    leader = best(pooled, MEMBER)
    return {
        "users": sum(map(len, pooled.windows)),
        "refitted": sum(map(len, refitted(pooled).windows)),
        "fused": mean(pooled.values(FUSED)),
        "best_member": leader.removeprefix(f"{MEMBER}/") if leader else None,
        "best_member_value": mean(pooled.values(leader)) if leader else None,
    }
