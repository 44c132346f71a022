"""The stage: tune each member once, on the earliest training, then train it for every cut."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from components.common import columns as c
from components.common.config import Config, Effort
from components.common.errors import ConfigError
from components.common.prepared import Cut, Prepared, visit_items
from components.common.stage import progress, tell
from components.train_cf.histories import clock_of, now_of
from components.train_cf.recipes import RECIPES, Material, Recipe, usual
from components.train_cf.repurchase import RepurchaseConfig, RepurchaseTrainer, examples_of
from components.train_cf.tuning import HoldOut, hold_out, search
from serving.members.history import HistoryWeights
from serving.states import UserStates

STAGE = "train_cf"
REPURCHASE = "repurchase"


def train_cf(prepared: Path, out: Path, effort: str, seed: int) -> None:
    """Write *out*/<cut.members>/<member>/ for every training of the prepared shop.

    Numbers are chosen on an inner hold-out of the earliest training's own events and used for all trainings. A
    cut without events to learn from gets no members.

    Raises:
        ConfigError: *effort* is neither fast nor full.
    """
    shop = Prepared.load(prepared)
    out.mkdir(parents=True, exist_ok=True)
    cuts = [cut for cut in shop.split.trainings if len(shop.train(cut))]
    if not cuts:
        return
    held = hold_out(shop, cuts[0], _effort(effort), seed)
    inner = _inner(shop, held)
    names = usual(inner, _effort(effort))
    done = _Steps(len(names) * (1 + len(cuts)) + len(cuts) * shop.split.repeats)
    configs = choose(names, held, inner, _effort(effort), seed, done)
    for cut in cuts:
        train_cut(shop, cut, configs, out / cut.members, done)


def _effort(value: str) -> Effort:
    efforts: dict[str, Effort] = {"fast": "fast", "full": "full"}
    if value not in efforts:
        raise ConfigError(f"effort: found {value!r}, expected one of {', '.join(efforts)}.")
    return efforts[value]


class _Steps:
    """Counts finished steps for the progress bar."""

    def __init__(self, total: int) -> None:
        self.done, self.total = 0, total

    @contextmanager
    def step(self, member: str, work: str) -> Iterator[None]:
        """Time one step of one member."""
        started = time.perf_counter()
        yield
        self.done += 1
        seconds = round(time.perf_counter() - started, 3)
        tell(stage=STAGE, kind="member", member=member, work=work, seconds=seconds)
        progress(STAGE, self.done, self.total)


def choose(
    names: Iterable[str], held: HoldOut, inner: Material, effort: Effort, seed: int, steps: _Steps
) -> dict[str, Config]:
    """The configuration of the members *names*, by what finds the held-out items when learning from *inner*."""
    configs = {}
    for name in names:
        with steps.step(name, "tune"):
            configs[name] = _tuned(RECIPES[name], held, inner, effort, seed)
    return configs


def _inner(shop: Prepared, held: HoldOut) -> Material:
    """What the members under trial learn from."""
    states = UserStates.from_visits(held.visits, np.arange(len(shop.users)), held.as_of)
    history = HistoryWeights(clock=clock_of(shop))
    return Material(held.visits, states, held.as_of, len(shop.items), history)


def _tuned(recipe: Recipe[Any, Any], held: HoldOut, inner: Material, effort: Effort, seed: int) -> Config:
    best: Config = recipe.begin(inner, seed)
    if held.judges:
        best = search(
            lambda config: held.score(recipe.train(config, inner)), best, recipe.choices(inner), recipe.trials[effort]
        )
    return best.model_copy(update=dict(recipe.final))


def train_cut(shop: Prepared, cut: Cut, configs: dict[str, Config], out: Path, steps: _Steps) -> None:
    """Train and write the members of one cut."""
    visits, now = visit_items(shop.train(cut), shop.shop), now_of(shop, cut)
    states = UserStates.from_visits(visits, np.arange(len(shop.users)), now)
    material = Material(visits, states, now, len(shop.items), HistoryWeights(clock=clock_of(shop)))
    for name, config in configs.items():
        with steps.step(name, cut.members):
            trainer = RECIPES[name].trainer(config, material.history)
            trainer.write(RECIPES[name].fit(trainer, material), out / name)
    if shop.split.repeats and shop.events[c.VISIT].max() > 0:
        with steps.step(REPURCHASE, cut.members):
            trainer = RepurchaseTrainer(RepurchaseConfig())
            trainer.write(trainer.train(examples_of(shop, cut), states, len(shop.items)), out / REPURCHASE)
