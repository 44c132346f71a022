"""The members' searches: where each starts, what it may try, how a set of values is trained and judged."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from components.common.config import Config
from components.common.settings import merged
from components.common.space import Space
from components.train_cf.recipes import RECIPES, Recipe
from components.train_cf.spaces import space_of
from components.tune.inner import Inner
from components.tune.study import Cases, Objective, Values


@dataclass(frozen=True)
class Search:
    """One member's search. Names with dots reach into configurations inside configurations."""

    member: str
    start: Values
    space: Space
    objective: Objective


Searches = Callable[[Inner, Path, int], Iterator[Search]]


def nested(values: Values) -> dict[str, Any]:
    """{"a.b": 1} as {"a": {"b": 1}}."""
    table: dict[str, Any] = {}
    for name, value in values.items():
        *outer, last = name.split(".")
        inner: dict[str, Any] = {last: value}
        for key in reversed(outer):
            inner = {key: inner}
        table = merged(table, inner)
    return table


def value_at(config: Config, name: str) -> Any:
    """The value of a dotted name."""
    found: Any = config
    for key in name.split("."):
        found = getattr(found, key)
    return found


def filled(start: Config, values: Values) -> Any:
    """*start* with *values*, checked."""
    return type(start).parse(merged(start.model_dump(), nested(values)), "tune")


def _search(member: str, begin: Config, space: Space, train: Callable[[Any], Cases]) -> Search:
    start = {name: value_at(begin, name) for name in space}
    return Search(member, start, space, lambda values: train(filled(begin, values)))


def cf_searches(inner: Inner, _: Path, seed: int) -> Iterator[Search]:
    """Every collaborative member that has a recipe, with the few sweeps of a trial where it is swept."""

    def train(recipe: Recipe[Any, Any], config: Config) -> Cases:
        return inner.held.score(recipe.train(config, inner.material))

    for name, recipe in RECIPES.items():
        begin = recipe.begin(inner.material, seed)
        yield _search(name, begin, space_of(name, inner.material), partial(train, recipe))


FAMILIES: Mapping[str, Searches] = {"cf": cf_searches}
