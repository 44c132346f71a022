"""What `cuvee tune` may try for each collaborative member: wider than the few choices of a run's own search."""

from collections.abc import Callable, Mapping

from components.common.space import Choice, Range, Space
from components.train_cf.recipes import RECIPES, Material

SHARE = Range(low=0.0, high=1.0)


def space_of(name: str, material: Material) -> Space:
    """The space of a member; what its recipe tries, where none is declared below."""
    if name in SPACES:
        return SPACES[name](material)
    recipe = RECIPES[name]
    start = recipe.start(material)
    return {
        field: Choice(options=tuple(dict.fromkeys((getattr(start, field), *options))))
        for field, options in recipe.choices(material).items()
    }


def _asking(material: Material) -> Range:
    """Half-lives of a history when it is asked: days, or visits."""
    return Range(low=7.0, high=240.0, log=True) if material.days else Range(low=0.5, high=20.0, log=True)


def _learning(material: Material) -> Choice:
    """Half-lives of what is learned from; None: age does not matter."""
    return Choice(options=(None, 15.0, 30.0, 60.0, 120.0, 240.0) if material.days else (None, 5.0, 10.0, 20.0, 40.0))


def _popularity(material: Material) -> Space:
    return {"half_life": Range(low=3.0, high=365.0, log=True) if material.days else Range(low=0.5, high=50.0, log=True)}


def _item_knn(material: Material) -> Space:
    return {
        "k1": Range(low=0.5, high=100.0, log=True),
        "b": SHARE,
        "popularity_power": SHARE,
        "half_life": _asking(material),
        "learning_half_life": _learning(material),
    }


def _cooccurrence(material: Material) -> Space:
    return {
        "window": Choice(options=(0, 1, 2, 4) if material.baskets else (4, 8, 20, 40)),
        "distance_power": SHARE,
        "backward": SHARE,
        "visit_power": SHARE,
        "own_power": SHARE,
        "other_power": Range(low=0.0, high=0.6),
        "shrink": Range(low=1.0, high=200.0, log=True),
        "half_life": _asking(material),
        "learning_half_life": _learning(material),
    }


def _als(material: Material) -> Space:
    return {
        "embedding_size": Choice(options=(32, 64, 128)),
        "alpha": Range(low=0.1, high=100.0, log=True),
        "reg": Range(low=1.0, high=200.0, log=True),
        "half_life": _asking(material),
        "learning_half_life": _learning(material),
    }


SPACES: Mapping[str, Callable[[Material], Space]] = {
    "popularity": _popularity,
    "item_knn": _item_knn,
    "cooccurrence": _cooccurrence,
    "als": _als,
}
