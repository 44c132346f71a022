"""What is left when members are gone: the blend as served without them, and one refitted without them."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.quality.lists import REFIT, SERVED, WITHOUT, Lists, named
from components.common.config import Effort
from components.common.prepared import Prepared
from components.evaluate.judge import judge
from components.evaluate.metrics import mean
from components.fuse.absences import pair_of
from components.fuse.config import EFFORTS
from components.fuse.coverage import spread
from components.fuse.judging import judge_alone
from components.fuse.lists import FitSet
from components.fuse.lists import Lists as Teaching
from components.fuse.methods import BASE
from components.fuse.options import Options
from components.fuse.run import Inputs, fit_engines, fit_sets
from serving.arrays import Bools
from serving.blend import Blend, Fusion, TaskFusion
from serving.calibration import ranks
from serving.engine import RECALL, Engine
from serving.states import UserStates

Taken = Literal["all", "served", "families", "nothing"]  # see `measure`
FAMILIES = ("deep", "cf", "text", "popularity", "rules")


@dataclass(frozen=True)
class Absences:
    """What taking members away is done with.

    engine: the release's. prepared: the shop's folder. features: holds states/<cut>.parquet. families: the training
    stages' members.
    """

    shop: Prepared
    engine: Engine
    prepared: Path
    features: Path
    families: list[Path]
    task: str
    effort: Effort
    workers: int

    @cached_property
    def sets(self) -> list[FitSet]:
        """What a refit learns from."""
        nowhere = self.prepared / "no_encoder"  # users are not asked in words
        inputs = Inputs(self.prepared, nowhere, self.features, tuple(self.families))
        engines = fit_engines(inputs, self.shop)
        return fit_sets(inputs, self.shop, engines, self.task, EFFORTS[self.effort], self.shop.split.seed)

    @property
    def family_of(self) -> dict[str, str]:
        """By member, its family."""
        return {name: member.family for name, member in self.engine.members.items()}


def take_members(asked: Absences, lists: Lists, states: UserStates, kinds: Collection[str]) -> Lists:
    """*lists* with `served/<member>` and `refit/<member>`, whichever of *kinds*, for all that can be missed."""
    members = lists.names("member")
    found: dict[str, npt.NDArray[np.int32]] = {}
    for name in members if len(members) > 1 else ():
        found |= {named(kind, name): items for kind, items in _without(asked, lists, states, {name}, kinds).items()}
    return lists.plus(found)


def take_families(asked: Absences, lists: Lists, states: UserStates) -> Lists:
    """*lists* with `without/<family>`, of a blend refitted without all its members, for every family there is."""
    members = lists.names("member")
    found = {}
    for family in FAMILIES:
        gone = {name for name in members if asked.family_of[name] == family}
        if gone and len(gone) < len(members):
            found[named(WITHOUT, family)] = _without(asked, lists, states, gone, (REFIT,))[REFIT]
    return lists.plus(found)


def refit(asked: Absences, sets: list[FitSet]) -> Blend:
    """The blend that serves, learned again from *sets*: by the same method, or the linear one where it is no method."""
    config, seed = EFFORTS[asked.effort], asked.shop.split.seed
    served = asked.engine.fusion.blend(asked.task) if asked.engine.fusion else None
    options = Options(max_rows=config.rows, seed=seed, shapes=config.shapes)
    alone, lists = judge_alone(sets), Teaching.of(sets, config.rows, seed)
    ranked = sorted(alone, key=lambda name: -(mean(alone[name]) or 0.0))
    kind = served.kind if served else BASE
    known = options.methods(lists.members, pair_of(ranked, asked.family_of), lists.moments, kind)
    method = known.get(kind) or known.get(BASE) or next(iter(known.values()))
    blend = method(lists)
    return spread(blend, served.reach, served.seats, served.host) if served else blend


def without(fit: FitSet, gone: Collection[str]) -> FitSet:
    """The lists as they would be had the members *gone* never been there: what only they recalled is no candidate."""
    if not set(gone) & set(fit.members):
        return fit
    kept = [column for column, name in enumerate(fit.members) if name not in gone]
    scores = np.ascontiguousarray(fit.scores[:, :, kept])
    names = tuple(fit.members[column] for column in kept)
    return replace(fit, members=names, scores=scores, valid=fit.valid & _recalled(scores, fit.valid))


def _recalled(scores: np.ndarray, valid: Bools) -> Bools:
    """(n, c) is the candidate among the best `RECALL` of any member."""
    found = np.zeros(valid.shape, dtype=bool)
    for column in range(scores.shape[2]):
        own = np.ascontiguousarray(scores[:, :, column])
        scored = valid & np.isfinite(own)
        found |= scored & (ranks(own, scored) < RECALL)
    return found


def _without(
    asked: Absences, lists: Lists, states: UserStates, gone: set[str], kinds: Collection[str]
) -> dict[str, npt.NDArray[np.int32]]:
    """By kind (n, 20) lists without the members *gone*: of the blend as served and of the one refitted.

    What cannot be refitted, for there are no lists to learn from, is served as it is.
    """
    engine, task = asked.engine, asked.task
    served = engine.fusion.blend(task) if engine.fusion else None
    fusion = {SERVED: served} if served and (SERVED in kinds or not asked.sets) else {}
    if REFIT in kinds and asked.sets:
        fusion[REFIT] = refit(asked, [without(fit, gone) for fit in asked.sets])
    left = {name: member for name, member in engine.members.items() if name not in gone}
    fused = Fusion(tasks={task: TaskFusion(chosen=next(iter(fusion)), methods=fusion)})
    smaller = Engine(engine.catalogue, engine.shop, left, fused, engine.encoder, engine.rules)
    outcome = judge(smaller, states, lists.relevance, task, asked.workers)
    return {kind: outcome.methods[kind if kind in fusion else SERVED].items for kind in kinds}
