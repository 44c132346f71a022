"""Where each member's search begins and what it tries; starts come from trials on ordered and basket shops."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pandas as pd

from components.common import columns as c
from components.common.config import Config, Effort
from components.train_cf.als import AlsConfig, AlsTrainer
from components.train_cf.cooccurrence import CooccurrenceConfig, CooccurrenceTrainer, Visits
from components.train_cf.item_knn import ItemKnnConfig, ItemKnnTrainer
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from serving.members.base import Member
from serving.members.history import HistoryWeights
from serving.states import UserStates

TRIAL_EPOCHS = 4  # sweeps of a factorisation under trial
BASKET = 1.5  # items a visit on average: above it order within a visit says nothing


@dataclass(frozen=True)
class Material:
    """What trainers learn from: rows of `visit_items`, the users' states at *as_of* (µs), and the shop's clock."""

    visits: pd.DataFrame
    states: UserStates
    as_of: int
    n_items: int
    history: HistoryWeights

    @cached_property
    def ordered(self) -> Visits:
        """The visits as matrices."""
        return Visits.of(self.visits, self.n_items, self.as_of, self.history)

    @property
    def baskets(self) -> bool:
        """Do visits hold several items."""
        return len(self.visits) > BASKET * len(self.visits[[c.USER, c.VISIT]].drop_duplicates())

    @property
    def days(self) -> bool:
        """Is age measured in days."""
        return self.history.clock == "days"


ConfigT = TypeVar("ConfigT", bound=Config)
MemberT = TypeVar("MemberT", bound=Member)
WrittenT = TypeVar("WrittenT", bound=Member, contravariant=True)


class Trainer(Protocol[WrittenT]):
    """What every trainer can do once it has been given its configuration."""

    def write(self, member: WrittenT, folder: Path) -> None:
        """Write the member's folder."""


@dataclass(frozen=True)
class Recipe(Generic[ConfigT, MemberT]):
    """How one member is begun, varied, trained and written. trials: configurations evaluated by effort."""

    start: Callable[[Material], ConfigT]
    choices: Callable[[Material], Mapping[str, tuple[Any, ...]]]
    trainer: Callable[[ConfigT, HistoryWeights], Trainer[MemberT]]
    fit: Callable[[Any, Material], MemberT]
    trials: Mapping[Effort, int]
    final: Mapping[str, Any] = field(default_factory=dict)  # what the chosen configuration is given for good

    def begin(self, material: Material, seed: int) -> ConfigT:
        """Where the search starts; *seed* goes to members that draw."""
        config = self.start(material)
        return config.model_copy(update={"seed": seed}) if "seed" in type(config).model_fields else config

    def train(self, config: ConfigT, material: Material) -> MemberT:
        """The member trained on *material*."""
        return self.fit(self.trainer(config, material.history), material)


def _popularity(material: Material) -> PopularityConfig:
    return PopularityConfig(half_life=28.0 if material.days else 10.0)


def _popularity_choices(material: Material) -> dict[str, tuple[Any, ...]]:
    return {"half_life": (14.0, 60.0, 7.0, None) if material.days else (5.0, 20.0, 2.0, None)}


def _item_knn(material: Material) -> ItemKnnConfig:
    if material.days:
        return ItemKnnConfig()
    return ItemKnnConfig(b=0.0, popularity_power=0.0, half_life=2.0, learning_half_life=20.0)


def _item_knn_choices(material: Material) -> dict[str, tuple[Any, ...]]:
    if material.days:
        ages: dict[str, tuple[Any, ...]] = {"half_life": (30.0, 120.0), "learning_half_life": (120.0, 30.0, None)}
        return {"popularity_power": (0.2, 0.6), "k1": (2.0, 50.0), "b": (0.2, 0.7, 0.0), **ages}
    ages = {"learning_half_life": (None, 40.0), "half_life": (1.5, 3.0, 6.0)}
    return {**ages, "popularity_power": (0.2, 0.4), "b": (0.3,), "k1": (1.0, 50.0)}


def _cooccurrence(material: Material) -> CooccurrenceConfig:
    half_life, learning = (30.0, 60.0) if material.days else (1.5, None)
    ages = {"half_life": half_life, "learning_half_life": learning}
    if material.baskets:
        return CooccurrenceConfig.parse({**BASKETS, **ages}, "co-occurrence of baskets")
    return CooccurrenceConfig.parse({**ORDERED, **ages}, "co-occurrence of sequences")


ORDERED = {
    "window": 20,
    "distance_power": 0.2,
    "backward": 0.4,
    "visit_power": 0.5,
    "own_power": 0.3,
    "other_power": 0.1,
    "shrink": 50.0,
}
BASKETS = {
    "window": 0,
    "distance_power": 0.5,
    "backward": 1.0,
    "visit_power": 0.0,
    "own_power": 0.7,
    "other_power": 0.3,
    "shrink": 20.0,
    "neighbours": 100,
}


def _cooccurrence_choices(material: Material) -> dict[str, tuple[Any, ...]]:
    ages = (15.0, 60.0) if material.days else (1.0, 2.5)
    if material.baskets:
        learning = (30.0, 120.0) if material.days else (10.0, 40.0)
        first: dict[str, tuple[Any, ...]] = {"learning_half_life": learning, "half_life": ages, "window": (1, 2)}
        return {**first, "own_power": (0.5, 0.9), "other_power": (0.15, 0.45), "shrink": (5.0,), "backward": (0.5,)}
    first = {"half_life": ages, "own_power": (0.5,), "other_power": (0.0, 0.25), "distance_power": (0.5, 0.0)}
    return {**first, "backward": (0.2, 0.7), "shrink": (10.0, 100.0), "window": (8, 40), "visit_power": (0.0,)}


def _als(material: Material) -> AlsConfig:
    if material.days:
        return AlsConfig(epochs=TRIAL_EPOCHS, alpha=1.0, reg=20.0)
    return AlsConfig(epochs=TRIAL_EPOCHS, half_life=2.0, learning_half_life=None)


def _als_choices(material: Material) -> dict[str, tuple[Any, ...]]:
    if material.days:
        ages: tuple[Any, ...] = (30.0, 150.0)
        return {"alpha": (0.3, 3.0), "reg": (60.0, 5.0), "half_life": ages, "embedding_size": (32, 128)}
    return {"alpha": (50.0, 8.0), "reg": (15.0, 40.0), "half_life": (1.0, 4.0), "embedding_size": (128,)}


RECIPES: Mapping[str, Recipe[Any, Any]] = {
    "popularity": Recipe(
        _popularity,
        _popularity_choices,
        PopularityTrainer,
        lambda trainer, material: trainer.train(material.states, material.n_items),
        {"fast": 5, "full": 5},
    ),
    "item_knn": Recipe(
        _item_knn,
        _item_knn_choices,
        ItemKnnTrainer,
        lambda trainer, material: trainer.train(material.states, material.n_items),
        {"fast": 8, "full": 40},
    ),
    "cooccurrence": Recipe(
        _cooccurrence,
        _cooccurrence_choices,
        CooccurrenceTrainer,
        lambda trainer, material: trainer.train(material.ordered),
        {"fast": 9, "full": 50},
    ),
    "als": Recipe(
        _als,
        _als_choices,
        AlsTrainer,
        lambda trainer, material: trainer.train(material.states, material.n_items),
        {"fast": 4, "full": 20},
        {"epochs": AlsConfig().epochs},
    ),
}
