"""How each member is begun, varied, trained and written, and at which effort."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from components.common.config import Config, Effort
from components.train_cf import starts
from components.train_cf.als import AlsConfig, AlsTrainer
from components.train_cf.bpr import BprConfig, BprTrainer
from components.train_cf.cooccurrence import CooccurrenceTrainer
from components.train_cf.item_knn import ItemKnnTrainer
from components.train_cf.linear import LinearTrainer
from components.train_cf.material import Kind, Material
from components.train_cf.pca import PcaTrainer
from components.train_cf.popularity import PopularityTrainer
from components.train_cf.trend import TrendTrainer
from components.train_cf.user_knn import UserKnnTrainer
from serving.members.base import Member
from serving.members.history import HistoryWeights

__all__ = ["RECIPES", "Material", "Recipe", "usual"]

EVERYWHERE: frozenset[Kind] = frozenset({"ordered", "baskets"})
ORDERED: frozenset[Kind] = frozenset({"ordered"})
BASKETS: frozenset[Kind] = frozenset({"baskets"})
NOWHERE: frozenset[Kind] = frozenset()

ConfigT = TypeVar("ConfigT", bound=Config)
MemberT = TypeVar("MemberT", bound=Member)
WrittenT = TypeVar("WrittenT", bound=Member, contravariant=True)


class Trainer(Protocol[WrittenT]):
    """What every trainer can do once it has been given its configuration."""

    def write(self, member: WrittenT, folder: Path) -> None:
        """Write the member's folder."""


@dataclass(frozen=True)
class Recipe(Generic[ConfigT, MemberT]):
    """How one member is begun, varied, trained and written.

    trials: configurations evaluated by effort, 0 = nothing to search. final: what the chosen configuration is given for
    good. at: the kinds of shop for which the member is trained at an effort; elsewhere it adds nothing to the blend,
    and settings may ask.
    """

    start: Callable[[Material], ConfigT]
    choices: Callable[[Material], Mapping[str, tuple[Any, ...]]]
    trainer: Callable[[ConfigT, HistoryWeights], Trainer[MemberT]]
    fit: Callable[[Any, Material], MemberT]
    trials: Mapping[Effort, int]
    final: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[Effort, frozenset[Kind]] = field(default_factory=lambda: {"fast": EVERYWHERE, "full": EVERYWHERE})

    def begin(self, material: Material, seed: int) -> ConfigT:
        """Where the search starts; *seed* goes to members that draw."""
        config = self.start(material)
        return config.model_copy(update={"seed": seed}) if "seed" in type(config).model_fields else config

    def train(self, config: ConfigT, material: Material) -> MemberT:
        """The member trained on *material*."""
        return self.fit(self.trainer(config, material.history), material)


def _from_states(trainer: Any, material: Material) -> Any:
    """Most members learn from the histories alone."""
    return trainer.train(material.states, material.n_items)


RECIPES: Mapping[str, Recipe[Any, Any]] = {
    "popularity": Recipe(
        starts.popularity,
        starts.popularity_choices,
        PopularityTrainer,
        _from_states,
        {"fast": 5, "full": 5},
    ),
    "item_knn": Recipe(
        starts.item_knn,
        starts.item_knn_choices,
        ItemKnnTrainer,
        _from_states,
        {"fast": 8, "full": 40},
    ),
    "cooccurrence": Recipe(
        starts.cooccurrence,
        starts.cooccurrence_choices,
        CooccurrenceTrainer,
        lambda trainer, material: trainer.train(material.ordered),
        {"fast": 9, "full": 50},
    ),
    "als": Recipe(
        starts.als,
        starts.als_choices,
        AlsTrainer,
        _from_states,
        {"fast": 3, "full": 16},
        {"epochs": AlsConfig().epochs},
    ),
    "linear": Recipe(
        starts.linear,
        starts.linear_choices,
        LinearTrainer,
        lambda trainer, material: trainer.train(material.states, material.ordered, material.n_items),
        {"fast": 2, "full": 6},
        at={"fast": ORDERED, "full": ORDERED},
    ),
    "pca": Recipe(
        starts.pca,
        starts.pca_choices,
        PcaTrainer,
        _from_states,
        {"fast": 5, "full": 16},
        at={"fast": BASKETS, "full": BASKETS},
    ),
    "trend": Recipe(
        starts.trend,
        lambda _: {},
        TrendTrainer,
        lambda trainer, material: trainer.train(material.visits, material.as_of, material.n_items),
        {"fast": 0, "full": 0},
    ),
    "user_knn": Recipe(
        starts.user_knn,
        starts.user_knn_choices,
        UserKnnTrainer,
        _from_states,
        {"fast": 3, "full": 6},
        at={"fast": NOWHERE, "full": EVERYWHERE},
    ),
    "bpr": Recipe(
        starts.bpr,
        starts.bpr_choices,
        BprTrainer,
        _from_states,
        {"fast": 2, "full": 4},
        {"steps": BprConfig().steps},
        at={"fast": NOWHERE, "full": ORDERED},
    ),
}


def usual(material: Material, effort: Effort) -> tuple[str, ...]:
    """The members that are trained for such a shop at *effort*; what adds nothing there is left out."""
    return tuple(name for name, recipe in RECIPES.items() if material.kind in recipe.at[effort])
