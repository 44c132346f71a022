"""The stage: tune each member once, on the training of the newest fit window, then train it for every cut."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from components.common import columns as c
from components.common.config import Config, Effort
from components.common.errors import ConfigError
from components.common.prepared import Cut, Prepared, visit_items
from components.common.settings import Settings
from components.common.stage import progress, tell
from components.train_cf.histories import clock_of, now_of
from components.train_cf.recipes import RECIPES, Material, Recipe, usual
from components.train_cf.repurchase import RepurchaseConfig, RepurchaseTrainer, examples_of
from components.train_cf.tuning import HoldOut, hold_out, search
from serving.members import kinds
from serving.members.history import HistoryWeights
from serving.states import UserStates

STAGE = "train_cf"
REPURCHASE = "repurchase"


def train_cf(prepared: Path, out: Path, effort: str, seed: int, settings: str = "") -> None:
    """Write *out*/<cut.members>/<member>/ for every training of the prepared shop.

    Numbers are chosen on an inner hold-out of the newest fit window's own training events and used for all trainings. A
    cut without events to learn from gets no members. *settings* (see Settings.load) may give numbers, which are
    then not searched for, leave members out, or ask for members that the effort does without.

    Raises:
        ConfigError: *effort* is neither fast nor full; the settings name what there is not.
    """
    told = Settings.of_members(settings, kinds())
    shop = Prepared.load(prepared)
    out.mkdir(parents=True, exist_ok=True)
    cuts = [cut for cut in shop.split.trainings if len(shop.train(cut))]
    if not cuts:
        return
    held = hold_out(shop, shop.split.tuning, _effort(effort), seed)
    inner = _inner(shop, held)
    most = usual(inner, _effort(effort))
    names = [name for name in RECIPES if told.wants(name, name in most)]
    again = shop.split.repeats and told.wants(REPURCHASE)
    done = _Steps(len(names) * (1 + len(cuts)) + len(cuts) * again)
    repurchase = {REPURCHASE: told.fill(REPURCHASE, RepurchaseConfig())} if again else {}
    configs = choose(names, held, inner, _effort(effort), seed, done, told) | repurchase
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
    names: Sequence[str], held: HoldOut, inner: Material, effort: Effort, seed: int, steps: _Steps, told: Settings
) -> dict[str, Config]:
    """The configuration of the members *names*, by what finds the held-out items when learning from *inner*."""
    configs = {name: told.fill(name, _begun(RECIPES[name], inner, seed)) for name in names if told.tells(name)}
    for name in names:
        with steps.step(name, "tune"):
            configs[name] = configs.get(name) or _tuned(RECIPES[name], held, inner, effort, seed)
    return {name: configs[name] for name in names}


def _begun(recipe: Recipe[Any, Any], inner: Material, seed: int) -> Config:
    """What a member is trained with where nothing is searched for."""
    begun: Config = recipe.begin(inner, seed)
    return begun.model_copy(update=dict(recipe.final))


def _inner(shop: Prepared, held: HoldOut) -> Material:
    """What the members under trial learn from."""
    states = UserStates.from_visits(held.visits, np.arange(len(shop.users)), held.as_of)
    history = HistoryWeights(clock=clock_of(shop))
    return Material(held.visits, states, held.as_of, len(shop.items), history)


def _tuned(recipe: Recipe[Any, Any], held: HoldOut, inner: Material, effort: Effort, seed: int) -> Config:
    best: Config = recipe.begin(inner, seed)
    if held.judges and recipe.trials[effort]:
        best = search(
            lambda config: held.score(recipe.train(config, inner)), best, recipe.choices(inner), recipe.trials[effort]
        )
    return best.model_copy(update=dict(recipe.final))


def train_cut(shop: Prepared, cut: Cut, configs: dict[str, Config], out: Path, steps: _Steps) -> None:
    """Train and write the members of one cut."""
    visits, now = visit_items(shop.train(cut), shop.shop), now_of(shop, cut)
    states = UserStates.from_visits(visits, np.arange(len(shop.users)), now)
    material = Material(visits, states, now, len(shop.items), HistoryWeights(clock=clock_of(shop)))
    for name in [name for name in configs if name in RECIPES]:
        with steps.step(name, cut.members):
            trainer = RECIPES[name].trainer(configs[name], material.history)
            trainer.write(RECIPES[name].fit(trainer, material), out / name)
    config = configs.get(REPURCHASE)
    if isinstance(config, RepurchaseConfig) and shop.events[c.VISIT].max() > 0:
        with steps.step(REPURCHASE, cut.members):
            repurchase = RepurchaseTrainer(config)
            repurchase.write(repurchase.train(examples_of(shop, cut), states, len(shop.items)), out / REPURCHASE)
