"""Fit every method, judge them on lists they did not see, choose, and fit again on all."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.fuse.absences import pair_of, with_absences
from components.fuse.choice import choose, mean, promised
from components.fuse.coverage import SPARE, Option, Trade, catalogue_size, spread, trades, widest
from components.fuse.judging import cross_fit, held_out, judge, judge_alone
from components.fuse.lists import FitSet, Lists
from components.fuse.methods import SINGLE, Method, single
from components.fuse.options import Options
from serving.blend import Blend, TaskFusion
from serving.calibration import FEATURES

Doubles = npt.NDArray[np.float64]
DEFAULT = Options()
NEAR = 6  # methods whose reaches and seats are tried


def fit_task(
    sets: Sequence[FitSet], families: Mapping[str, str], options: Options = DEFAULT
) -> tuple[TaskFusion, dict[str, Any]]:
    """Learn the blend of one task.

    Every method is fitted on all folds but one and judged by NDCG@10 on that one, over users or queries. The best is
    chosen and refitted on everything; with few lists the steadiest of those as good as the best, see `choose`.

    Args:
        sets: lists of one or more fit cuts, all with the same members.
        families: by member, its family; `alpha` blends the best `deep` and the best `cf` member.
        options: see Options.

    Returns:
        The fusion and a report: per method NDCG@10, its standard error and its paired difference to the best.
    """
    started = time.perf_counter()
    members = sets[0].members
    lists = Lists.of(sets, options.max_rows, options.seed)
    folds = held_out(sets, options.folds, options.seed)
    alone = {f"{SINGLE}{name}": values for name, values in judge_alone(sets).items()}
    ranked = sorted(members, key=lambda name: -mean(alone[f"{SINGLE}{name}"]))
    pair = pair_of(ranked, families)
    known: dict[str, Method] = options.methods(members, pair, lists.moments) if len(lists) else {}
    fixed = {f"{SINGLE}{ranked[0]}": single(ranked[0], members)}
    if options.prior is not None:
        fixed = {options.prior.kind: options.prior} | fixed
    tables = cross_fit(sets, folds, lists, known, fixed)
    judged = judge(sets, folds, tables)
    plenty = len(lists) >= options.plenty
    taken, tried = Option(choose(judged, alone, plenty), 0.0, 0), {}
    if plenty:
        tried = _tried(sets, folds, tables, judged, single(ranked[0], members), ranked[0], options.everyone)
        users = max(options.everyone, sum(map(len, sets)))
        taken = widest(tried, f"{SINGLE}{ranked[0]}", catalogue_size(sets), users)
    chosen = taken.method
    known = options.methods(members, pair, lists.moments, chosen) if len(lists) else {}
    blends = fixed | {name: method(lists) for name, method in known.items()}
    if options.absences:
        blends[chosen] = with_absences(blends[chosen], lists, ranked, families, options, chosen)
    blends[chosen] = spread(blends[chosen], taken.reach, taken.seats, ranked[0])
    report = _report(judged | alone, chosen, blends, lists, sets) | {
        "reach": taken.reach,
        "seats": taken.seats,
        "trades": _trades(tried, chosen),
        "everyone": options.everyone,  # users whose lists the items of the trades are estimated for; 0: the lists alone
    }
    report["seconds"] = round(time.perf_counter() - started, 3)
    return TaskFusion(chosen=chosen, methods=blends), report


def _tried(
    sets: Sequence[FitSet],
    folds: list[npt.NDArray[np.int64]],
    tables: Sequence[Mapping[str, Blend]],
    judged: Mapping[str, Doubles],
    member: Blend,
    host: str,
    everyone: int,
) -> dict[Option, Trade]:
    """What methods, reaches and seats are worth and show where there is plenty to judge by: of the `NEAR` best."""
    worth = {name: promised(name) * mean(values) for name, values in judged.items()}
    spared = (1 - max(SPARE.values())) * max(worth.values())
    near = [name for name in sorted(worth, key=lambda name: -worth[name])[:NEAR] if worth[name] >= spared]
    some = [{name: table[name] for name in near} | {member.kind: member} for table in tables]
    return trades(sets, folds, some, host, everyone)


def _trades(tried: Mapping[Option, Trade], chosen: str) -> list[dict[str, float]]:
    """What each reach of the chosen method with any seats gives and costs."""
    return [
        {"reach": option.reach, "seats": option.seats, "ndcg@10": trade.worth, "items": round(trade.covers)}
        for option, trade in tried.items()
        if option.method == chosen
    ]


def _report(
    judged: Mapping[str, Doubles], chosen: str, blends: Mapping[str, Blend], lists: Lists, sets: Sequence[FitSet]
) -> dict[str, Any]:
    best = max(judged.values(), key=mean)
    rows = {}
    for name, values in judged.items():
        count = max(int((~np.isnan(values)).sum()), 1)
        rows[name] = {
            "ndcg@10": mean(values),
            "standard_error": float(np.nanstd(values) / np.sqrt(count)) if np.isfinite(values).any() else 0.0,
            "behind_best": mean(best) - mean(values),
        }
    return {
        "chosen": chosen,
        "lists": sum(len(fit) for fit in sets),
        "teaching_lists": len(lists),
        "methods": rows,
        "weights": {
            name: {m: dict(zip(FEATURES, row, strict=True)) for m, row in zip(b.members, b.weights, strict=True)}
            for name, b in blends.items()
        },
    }
