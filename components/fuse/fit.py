"""Fit every method, judge them on lists they did not see, choose, and fit again on all."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.ranking import ndcg_at
from components.common.stage import progress
from components.fuse.coverage import SPARE, shown, wide_enough
from components.fuse.lists import FitSet, Lists
from components.fuse.methods import SINGLE, STEADY, Method, methods, single
from components.fuse.stacker import SHAPES, Shape
from serving.arrays import PAD, top_k
from serving.blend import Blend, TaskFusion, apply
from serving.calibration import FEATURES

Doubles = npt.NDArray[np.float64]
K = 10
MAX_ROWS = 800_000
REACHES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # how far popular items may be held back, the first: not at all
ABSENT_LISTS = 2_000  # of evenly spread lists a blend without one member learns
PLENTY = 500  # lists to learn from: above it the best method serves, below it the steadiest of equals


@dataclass(frozen=True)
class Options:
    """How to fit.

    folds: of the cross-fit. max_rows: candidates to learn from at most. prior: a fixed blend to compete.
    seeds: ensembles of trees that serve; one of them stands trial, and for an absent member. shapes: of the trees, by
    method. only: methods that may be fitted; empty: all. absences: fit the chosen blend without each member, too.
    """

    folds: int = 3
    max_rows: int = MAX_ROWS
    seed: int = 0
    prior: Blend | None = None
    seeds: int = 3
    shapes: Mapping[str, Shape] = field(default_factory=lambda: SHAPES)
    only: tuple[str, ...] = ()
    absences: bool = True

    def methods(
        self, members: tuple[str, ...], pair: tuple[str, str] | None, seeds: int, moments: bool
    ) -> dict[str, Method]:
        """The methods that may be fitted over *members*."""
        known = methods(members, pair, seeds, self.seed, moments, self.shapes)
        return {name: method for name, method in known.items() if not self.only or name in self.only}


def fit_task(
    sets: Sequence[FitSet], families: Mapping[str, str], options: Options = Options()
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
    folds = fold_of([fit.groups for fit in sets], options.folds, options.seed)
    alone = judge(sets, folds, [{f"{SINGLE}{name}": single(name, members) for name in members}] * options.folds)
    ranked = sorted(members, key=lambda name: -mean(alone[f"{SINGLE}{name}"]))
    pair = _pair(ranked, families)
    known: dict[str, Method] = {}
    on_trial: dict[str, Method] = {}
    if len(lists):
        known = options.methods(members, pair, options.seeds, lists.moments)
        on_trial = options.methods(members, pair, 1, lists.moments)
    fixed = {f"{SINGLE}{ranked[0]}": single(ranked[0], members)}
    if options.prior is not None:
        fixed = {options.prior.kind: options.prior} | fixed
    tables = _cross_fit(sets, folds, lists, on_trial, fixed, options)
    judged = judge(sets, folds, tables)
    chosen = choose(judged, alone, len(lists))
    if len(lists) >= PLENTY:
        chosen = _wide_enough(sets, folds, tables, judged, chosen, single(ranked[0], members))
    blends = fixed | {name: method(lists) for name, method in known.items()}
    if options.absences:
        blends[chosen] = _with_absences(blends[chosen], lists, ranked, families, options)
    if len(lists) >= PLENTY:
        blends[chosen] = reaching(blends[chosen], _reach(sets, folds, tables, chosen))
    report = _report(judged | alone, chosen, blends, lists, sets) | {"reach": blends[chosen].reach}
    report["seconds"] = round(time.perf_counter() - started, 3)
    return TaskFusion(chosen=chosen, methods=blends), report


def choose(judged: Mapping[str, Doubles], alone: Mapping[str, Doubles] | None = None, lists: int = 0) -> str:
    """The best method where there is plenty to judge by, else the steadiest that is as good as the best.

    Where users are few nearly everything is as good as the best (see `as_good`); to bet on the one that happened to
    lead then costs more than to spread the weights. The order is `STEADY`, then the first; a member alone comes first
    only where it leads beyond doubt.

    Args:
        judged: by method, one value per list.
        alone: the same by member alone; empty: no member leads.
        lists: how many taught.
    """
    best = max(judged, key=lambda name: mean(judged[name]))
    if lists >= PLENTY:
        return best
    steady = [STEADY[0], leader(alone or {}), *STEADY[1:]]
    ordered = sorted(judged, key=lambda name: steady.index(name) if name in steady else len(steady))
    return next((name for name in ordered if as_good(judged[name], judged[best])), best)


def leader(alone: Mapping[str, Doubles]) -> str | None:
    """The one that no other is as good as; None where several may be the best."""
    if not alone:
        return None
    best = max(alone, key=lambda name: mean(alone[name]))
    rivals = [name for name in alone if name != best and as_good(alone[name], alone[best])]
    return None if rivals else best


def as_good(values: Doubles, best: Doubles) -> bool:
    """Is the paired mean difference to *best* within one standard error."""
    behind = best - values
    behind = behind[~np.isnan(behind)]
    error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else 0.0
    return len(behind) == 0 or bool(behind.mean() <= error)


def fold_of(groups: Sequence[npt.NDArray[np.int64]], folds: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """Fold 0..folds-1 of every list; equal groups share a fold, folds differ by at most one group in size."""
    distinct, place = np.unique(np.concatenate(groups), return_inverse=True)
    number = np.random.default_rng(seed).permutation(len(distinct)) % folds
    ends = np.cumsum([len(part) for part in groups])[:-1]
    return np.split(number[place], ends)


def _cross_fit(
    sets: Sequence[FitSet],
    folds: list[npt.NDArray[np.int64]],
    lists: Lists,
    known: Mapping[str, Method],
    fixed: Mapping[str, Blend],
    options: Options,
) -> list[dict[str, Blend]]:
    """By fold, every method's blend learned on the other folds."""
    fold_of_group = dict(
        zip(np.concatenate([fit.groups for fit in sets]).tolist(), np.concatenate(folds).tolist(), strict=True)
    )
    of_list = np.array([fold_of_group[group] for group in lists.groups.tolist()], dtype=np.int64)
    blends = []
    for fold in range(options.folds):
        training = lists.take(of_list != fold)
        learned = {name: method(training) for name, method in known.items()} if len(training) else {}
        blends.append(dict(fixed) | learned)
    common = [name for name in (*fixed, *known) if all(name in table for table in blends)]
    return [{name: table[name] for name in common} for table in blends]


def _wide_enough(
    sets: Sequence[FitSet],
    folds: list[npt.NDArray[np.int64]],
    tables: Sequence[Mapping[str, Blend]],
    judged: Mapping[str, Doubles],
    chosen: str,
    member: Blend,
) -> str:
    worth = {name: mean(values) for name, values in judged.items()}
    near = [name for name in worth if worth[name] >= (1 - SPARE) * worth[chosen]]
    asked = [{name: table[name] for name in near} | {member.kind: member} for table in tables]
    return wide_enough({name: worth[name] for name in near}, shown(sets, folds, asked), chosen, member.kind)


def _reach(
    sets: Sequence[FitSet], folds: list[npt.NDArray[np.int64]], tables: Sequence[Mapping[str, Blend]], chosen: str
) -> float:
    """The farthest of `REACHES` that costs nothing on the lists: shown are then items that few others would show."""
    options = [{str(reach): reaching(table[chosen], reach) for reach in REACHES} for table in tables]
    found = {reach: mean(values) for reach, values in judge(sets, folds, options).items()}
    return max(reach for reach in REACHES if found[str(reach)] >= found[str(REACHES[0])])


def reaching(blend: Blend, reach: float) -> Blend:
    """*blend*, and those it holds for absent members, with *reach*."""
    without = {name: reaching(other, reach) for name, other in blend.without.items()}
    return blend.model_copy(update={"reach": reach, "without": without})


def judge(
    sets: Sequence[FitSet], folds: list[npt.NDArray[np.int64]], blends: Sequence[Mapping[str, Blend]]
) -> dict[str, Doubles]:
    """By method: NDCG@10 of every list of all sets in order, under the blend of the list's own fold."""
    found = {name: [np.full(len(fit), np.nan) for fit in sets] for name in blends[0]}
    for number, (fit, fold) in enumerate(zip(sets, folds, strict=True)):
        for held_out, table in enumerate(blends):
            for rows, evidence in fit.chunks(np.flatnonzero(fold == held_out)):
                for name, blend in table.items():
                    found[name][number][rows] = _ndcg(fit.take(rows), apply(blend, evidence).sum(axis=2))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _ndcg(fit: FitSet, scores: npt.NDArray[np.float32]) -> Doubles:
    """NDCG@10; the ideal order knows every grade of the list, shown or not."""
    shown = K if fit.labels.max(initial=0) <= 1 else scores.shape[1]  # a binary ideal needs no more than n_relevant
    order = top_k(np.where(fit.valid, scores, np.float32(-np.inf)), shown)
    labels = np.where(order == PAD, 0, np.take_along_axis(fit.labels, np.maximum(order, 0), axis=1))
    return ndcg_at(labels, fit.n_relevant, K)


def _with_absences(
    blend: Blend, lists: Lists, ranked: Sequence[str], families: Mapping[str, str], options: Options
) -> Blend:
    """The chosen blend with weights for the absence of each member that has a say in it.

    The same method is fitted again without the member; where it cannot be (it was `single`, or `alpha` lost its last
    deep member), the best of the others stands in. A prior needs nothing: its other weights just grow.
    """
    without = {}
    some = lists.take(np.arange(0, len(lists), 1 + (len(lists) - 1) // ABSENT_LISTS)) if len(lists) else lists
    for number, name in enumerate(lists.members):
        fitted = _fitted_without(name, blend.kind, some, ranked, families, options) if _has_a_say(name, blend) else None
        progress("fuse", number + 1, len(lists.members))
        if fitted is not None:
            without[name] = fitted
    return blend.model_copy(update={"without": without})


def _has_a_say(name: str, blend: Blend) -> bool:
    return blend.trees is not None or blend.gate is not None or any(blend.weights[blend.members.index(name)])


def _fitted_without(
    name: str, kind: str, lists: Lists, ranked: Sequence[str], families: Mapping[str, str], options: Options
) -> Blend | None:
    rest = [member for member in ranked if member != name]
    left = tuple(member for member in lists.members if member != name)
    known = options.methods(left, _pair(rest, families), 1, lists.moments) if len(lists) else {}
    if kind in known:
        return known[kind](lists.drop(name))
    single_stands_in = rest and (kind.startswith(SINGLE) or kind == "alpha")
    return single(rest[0], left) if single_stands_in else None


def _pair(ranked: Sequence[str], families: Mapping[str, str]) -> tuple[str, str] | None:
    deep = [name for name in ranked if families.get(name) == "deep"]
    cf = [name for name in ranked if families.get(name) == "cf"]
    return (deep[0], cf[0]) if deep and cf else None


def mean(values: Doubles) -> float:
    """Mean over the lists that have a value; 0 if none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


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
