"""Where the search of each member begins and what it tries; starts come from trials on ordered and basket shops."""

from typing import Any

from components.train_cf.als import AlsConfig
from components.train_cf.bpr import BprConfig
from components.train_cf.cooccurrence import CooccurrenceConfig
from components.train_cf.item_knn import ItemKnnConfig
from components.train_cf.linear import LinearConfig
from components.train_cf.material import Material
from components.train_cf.pca import PcaConfig
from components.train_cf.popularity import PopularityConfig
from components.train_cf.trend import TrendConfig
from components.train_cf.user_knn import UserKnnConfig

TRIAL_EPOCHS = 4  # sweeps of a factorisation under trial
TRIAL_STEPS = 400  # gradient steps of a ranking model under trial
Choices = dict[str, tuple[Any, ...]]


def popularity(material: Material) -> PopularityConfig:
    """A month, or ten visits."""
    return PopularityConfig(half_life=28.0 if material.days else 10.0)


def popularity_choices(material: Material) -> Choices:
    """Shorter and longer ages."""
    return {"half_life": (14.0, 60.0, 7.0, None) if material.days else (5.0, 20.0, 2.0, None)}


def trend(material: Material) -> TrendConfig:
    """Two weeks against a quarter; where there is only an order, hardly more than the last visit against ten."""
    return TrendConfig() if material.days else TrendConfig(recent=0.5, usual=10.0)


def item_knn(material: Material) -> ItemKnnConfig:
    """BM25 over decayed interest; of ordered visits without any damping."""
    if material.days:
        return ItemKnnConfig()
    return ItemKnnConfig(b=0.0, popularity_power=0.0, half_life=2.0, learning_half_life=20.0)


def item_knn_choices(material: Material) -> Choices:
    """Ages and damping."""
    if material.days:
        ages: Choices = {"half_life": (30.0, 120.0), "learning_half_life": (120.0, 30.0, None)}
        return {"popularity_power": (0.2, 0.6), "k1": (2.0, 50.0), "b": (0.2, 0.7, 0.0), **ages}
    ages = {"learning_half_life": (None, 40.0), "half_life": (1.5, 3.0, 6.0)}
    return {**ages, "popularity_power": (0.2, 0.4), "b": (0.3,), "k1": (1.0, 50.0)}


def cooccurrence(material: Material) -> CooccurrenceConfig:
    """Order counts only where visits hold one item."""
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


def cooccurrence_choices(material: Material) -> Choices:
    """Ages first, then how pairs count."""
    ages = (15.0, 60.0) if material.days else (1.0, 2.5)
    if material.baskets:
        learning = (30.0, 120.0) if material.days else (10.0, 40.0)
        first: Choices = {"learning_half_life": learning, "half_life": ages, "window": (1, 2)}
        return {**first, "own_power": (0.5, 0.9), "other_power": (0.15, 0.45), "shrink": (5.0,), "backward": (0.5,)}
    first = {"half_life": ages, "own_power": (0.5,), "other_power": (0.0, 0.25), "distance_power": (0.5, 0.0)}
    return {**first, "backward": (0.2, 0.7), "shrink": (10.0, 100.0), "window": (8, 40), "visit_power": (0.0,)}


def als(material: Material) -> AlsConfig:
    """Baskets of days want little confidence and much regularisation."""
    if material.days:
        return AlsConfig(epochs=TRIAL_EPOCHS, alpha=1.0, reg=20.0)
    return AlsConfig(epochs=TRIAL_EPOCHS, half_life=2.0, learning_half_life=None)


def als_choices(material: Material) -> Choices:
    """Confidence, regularisation, ages, size."""
    if material.days:
        ages: tuple[Any, ...] = (30.0, 150.0)
        return {"alpha": (0.3, 3.0), "reg": (60.0, 5.0), "half_life": ages, "embedding_size": (32, 128)}
    return {"alpha": (50.0, 8.0), "reg": (15.0, 40.0), "half_life": (1.0, 4.0), "embedding_size": (128,)}


def linear(material: Material) -> LinearConfig:
    """Of ordered visits what comes next is explained, of baskets the whole interest."""
    if material.baskets:
        ages = 60.0 if material.days else 10.0
        return LinearConfig(half_life=ages, learning_half_life=ages)
    half_life, learning = (30.0, 60.0) if material.days else (1.5, None)
    ages_of = {"half_life": half_life, "learning_half_life": learning}
    return LinearConfig.parse({"window": 20, "reg": 50.0, "neighbours": 50, "sources": 100_000, **ages_of}, "linear")


def linear_choices(material: Material) -> Choices:
    """Regularisation first, then ages."""
    ages = (15.0, 60.0) if material.days else (1.0, 2.5)
    if material.baskets:
        return {"reg": (100.0, 400.0), "half_life": (30.0, 120.0) if material.days else (5.0, 20.0)}
    return {"reg": (20.0, 120.0), "half_life": ages, "backward": (0.2, 0.7), "window": (8,), "neighbours": (100,)}


def pca(material: Material) -> PcaConfig:
    """Interest of days halves in two months; of ordered visits in two."""
    if material.days:
        return PcaConfig()
    return PcaConfig(half_life=2.0, learning_half_life=None)


def pca_choices(material: Material) -> Choices:
    """Regularisation first, then ages."""
    ages: Choices = {"half_life": (30.0, 120.0), "learning_half_life": (120.0, 30.0)}
    if not material.days:
        ages = {"half_life": (1.0, 4.0), "learning_half_life": (20.0,)}
    return {"reg": (30.0, 3.0), **ages, "popularity_power": (0.0, 0.5), "embedding_size": (256,)}


def user_knn(material: Material) -> UserKnnConfig:
    """Interest of days halves in two months; of ordered visits in two."""
    if material.days:
        return UserKnnConfig()
    return UserKnnConfig(half_life=2.0, learning_half_life=None)


def user_knn_choices(material: Material) -> Choices:
    """How popular items count, then ages."""
    ages = (30.0, 120.0) if material.days else (1.0, 4.0)
    return {"popularity_power": (0.5, 0.0), "half_life": ages, "neighbours": (1000, 100)}


def bpr(material: Material) -> BprConfig:
    """A short training; what it chooses is then trained for long."""
    if material.days:
        return BprConfig(steps=TRIAL_STEPS, learning_rate=0.003)
    return BprConfig(steps=TRIAL_STEPS, learning_rate=0.02, half_life=3.0)


def bpr_choices(material: Material) -> Choices:
    """How negatives are drawn. Of ordered visits shorter ages find more alone, but then it repeats other members."""
    ages: Choices = {"half_life": (20.0,)} if material.days else {}
    return {"popularity_power": (0.75, 0.25), **ages, "reg": (1e-3,)}
