"""The members' searches: where each starts, what it may try, how a set of values is trained and judged."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from components.common.config import Config
from components.common.settings import Settings, merged
from components.common.space import Space
from components.train_cf.recipes import RECIPES, Recipe, usual
from components.train_cf.spaces import space_of
from components.tune.inner import Inner
from components.tune.study import Cases, Objective, Values
from serving.arrays import Floats
from serving.members.sequence import KIND as SEQUENCE

TEXT_FILE = "text.npy"


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
        found = found[key] if isinstance(found, dict) else getattr(found, key)
    return found


def filled(start: Config, values: Values) -> Any:
    """*start* with *values*, checked."""
    return type(start).parse(merged(start.model_dump(), nested(values)), "tune")


def _search(member: str, begin: Config, space: Space, train: Callable[[Any], Cases]) -> Search:
    start = {name: value_at(begin, name) for name in space}
    return Search(member, start, space, lambda values: train(filled(begin, values)))


def cf_searches(inner: Inner, _: Path, seed: int) -> Iterator[Search]:
    """The collaborative members that such a shop trains, with the few sweeps of a trial where they are swept."""

    def train(recipe: Recipe[Any, Any], config: Config) -> Cases:
        return inner.held.score(recipe.train(config, inner.material))

    for name in usual(inner.material, inner.effort):
        recipe = RECIPES[name]
        begin = recipe.begin(inner.material, seed)
        yield _search(name, begin, space_of(name, inner.material), partial(train, recipe))


def text_searches(inner: Inner, embeddings: Path, seed: int) -> Iterator[Search]:
    """TF-IDF, attributes, and the encoder's projection where the shop has text."""
    from components.train_text.attributes import AttributesConfig, train_attributes
    from components.train_text.spaces import SPACES
    from components.train_text.text import TextConfig, train_text_member
    from components.train_text.tfidf import TfidfConfig, train_tfidf

    def tfidf(config: TfidfConfig) -> Cases:
        return inner.judge(lambda folder: train_tfidf(inner.shop, inner.cut, folder, seed, config))

    def text(config: TextConfig) -> Cases:
        return inner.judge(lambda folder: train_text_member(inner.shop, vectors, inner.cut, folder, seed, config))

    def attributes(config: AttributesConfig) -> Cases:
        return inner.judge(lambda folder: train_attributes(inner.shop, inner.cut, folder, config, seed))

    yield _search("tfidf", TfidfConfig(), SPACES["tfidf"], tfidf)
    yield _search("attributes", AttributesConfig(), SPACES["attributes"], attributes)
    vectors: Floats = np.load(embeddings / TEXT_FILE, allow_pickle=False)
    if vectors.any():
        yield _search("text", TextConfig(), SPACES["text"], text)


def deep_searches(inner: Inner, embeddings: Path, seed: int) -> Iterator[Search]:
    """The deep member; a trial is a training."""
    from components.train_deep.histories import Entries
    from components.train_deep.photos import ItemPhotos
    from components.train_deep.run import begun, text_embedding, train_cut
    from components.train_deep.spaces import SPACE

    text, photos = text_embedding(embeddings, len(inner.shop.items)), ItemPhotos.load(embeddings)
    entries = Entries.from_events(inner.shop.train(inner.cut), inner.shop.split.target_events, len(inner.shop.users))

    def train(config: Config) -> Cases:
        told = Settings(members={SEQUENCE: config.model_dump()})
        return inner.judge(
            lambda folder: train_cut(
                inner.shop, inner.cut, text, photos, "fast", seed, folder, lambda _, __: None, told
            )
        )

    yield _search(SEQUENCE, begun(inner.shop, entries, "fast", seed), SPACE, train)


FAMILIES: Mapping[str, Searches] = {"cf": cf_searches, "text": text_searches, "deep": deep_searches}
