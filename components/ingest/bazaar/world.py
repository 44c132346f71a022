"""The bazaar's hidden truth: what every item is and what every user likes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.ingest.bazaar.config import DAYS, BazaarConfig
from components.ingest.bazaar.words import (
    BASE_PRICE,
    BRAND_WORDS,
    CITIES,
    COLOURS,
    DEPARTMENT_OF,
    DEPARTMENTS,
    PATTERNS,
    TYPES,
)
from serving.arrays import Bools, Floats, Ints

N_TYPES, N_BRANDS, BRANDS_EACH = len(TYPES), len(BRAND_WORDS), len(BRAND_WORDS) // len(DEPARTMENTS)
PERSONAS = 12
NEW_SHARE, PHOTO_ONLY_SHARE, UNAVAILABLE_SHARE = 0.15, 0.02, 0.04
LAST_WEEKS = DAYS - 56  # photo-only items arrive after this day
PRICE_SPREAD = 0.45  # of the logarithm of a type's prices
LANGUAGES = ("en", "zh", "both")
EN, ZH, BOTH = range(3)
Codes = npt.NDArray[Any]


@dataclass(frozen=True)
class Items:
    """(n,) arrays, a row per item."""

    type: Ints
    brand: Ints
    colour: Ints
    pattern: Ints
    series: Ints
    language: Ints  # of title and description: EN, ZH or BOTH
    price: npt.NDArray[np.float64]
    price_place: Floats  # standard deviations from its type's usual price
    quality: Floats  # hidden, standard normal
    popularity: Floats  # weight of being looked at, mean 1
    created: Floats  # days after the first; negative: before
    available: Bools
    photo_only: Bools  # title says nothing, no other text

    def __len__(self) -> int:
        return len(self.type)


@dataclass(frozen=True)
class Users:
    """A row per user; tastes are utilities, 0 on average over users."""

    persona: Ints
    language: Ints  # EN or ZH
    age: Ints
    city: Ints
    activity: Floats  # mean 1
    types: Floats  # (n, types)
    brands: Floats  # (n, brands)
    colours: Floats  # (n, colours)
    patterns: Floats  # (n, patterns)
    price_place: Floats  # which `Items.price_place` suits best
    price_weight: Floats  # how much that matters

    def __len__(self) -> int:
        return len(self.persona)


@dataclass(frozen=True)
class World:
    """Items and users with their truth."""

    items: Items
    users: Users

    def affinity(self, users: Codes, items: Codes, of_type: bool = True) -> Floats:
        """Latent match of *users* and *items* (codes that broadcast); higher is better.

        Args:
            users: row numbers of users.
            items: row numbers of items.
            of_type: count the taste for the type too; not needed among items of one type.
        """
        who, what = self.users, self.items
        taste = who.brands[users, what.brand[items]] + who.colours[users, what.colour[items]]
        taste += who.patterns[users, what.pattern[items]]
        taste -= who.price_weight[users] * np.square(what.price_place[items] - who.price_place[users])
        return np.asarray(taste + who.types[users, what.type[items]] if of_type else taste, dtype=np.float32)


def make_world(config: BazaarConfig) -> World:
    """Draw the truth of *config*'s shop."""
    return World(_items(config.items, config.rng("items")), _users(config.users, config.rng("users")))


def type_shares(types: Floats) -> Floats:
    """Cumulative shares of the types in what users of these tastes (n, types) look for, (n, types)."""
    odds = np.exp(types - types.max(axis=1, keepdims=True))
    shares = np.cumsum(odds, axis=1, dtype=np.float64)
    return np.asarray(shares / shares[:, -1:], dtype=np.float32)


def _items(n: int, rng: np.random.Generator) -> Items:
    weights = rng.dirichlet(np.full(N_TYPES, 4.0))
    types = np.concatenate([np.tile(np.arange(N_TYPES), 2), rng.choice(N_TYPES, n - 2 * N_TYPES, p=weights)])
    brand = rng.integers(BRANDS_EACH, size=n)
    place = rng.normal(size=n)
    popularity = rng.lognormal(0.0, 1.0, n)
    new = rng.random(n) < NEW_SHARE
    new[: 2 * N_TYPES] = False  # so that every type is there from the first day on
    created = np.where(new, rng.uniform(0, DAYS - 28, n), -rng.uniform(1, 700, n))
    photo_only = np.zeros(n, dtype=bool)
    photo_only[2 * N_TYPES :] = rng.random(n - 2 * N_TYPES) < PHOTO_ONLY_SHARE
    created = np.where(photo_only, rng.uniform(LAST_WEEKS, DAYS, n), created)
    price = BASE_PRICE[types] * np.exp(PRICE_SPREAD * place)
    available = rng.random(n) >= UNAVAILABLE_SHARE
    available[: 2 * N_TYPES] = True
    return Items(
        type=types.astype(np.int32),
        brand=(DEPARTMENT_OF[types] * BRANDS_EACH + brand).astype(np.int32),
        colour=rng.integers(len(COLOURS), size=n, dtype=np.int32),
        pattern=rng.integers(len(PATTERNS), size=n, dtype=np.int32),
        series=rng.integers(12 * 9, size=n, dtype=np.int32),
        language=rng.choice(3, n, p=[0.45, 0.3, 0.25]).astype(np.int32),
        price=np.round(price, 2),
        price_place=place.astype(np.float32),
        quality=rng.normal(size=n).astype(np.float32),
        popularity=(popularity / popularity.mean()).astype(np.float32),
        created=created.astype(np.float32),
        available=available,
        photo_only=photo_only,
    )


def _users(n: int, rng: np.random.Generator) -> Users:
    persona = rng.integers(PERSONAS, size=n)
    activity = rng.gamma(2.0, 0.5, n) + 0.05
    return Users(
        persona=persona.astype(np.int32),
        language=(rng.random(n) < 0.4).astype(np.int32),
        age=np.clip(rng.normal(20 + 4 * persona, 6), 16, 85).astype(np.int32),
        city=np.where(rng.random(n) < 0.6, persona % len(CITIES), rng.integers(len(CITIES), size=n)).astype(np.int32),
        activity=(activity / activity.mean()).astype(np.float32),
        types=_taste(rng, persona, N_TYPES, liked=4, gain=2.6, noise=0.6),
        brands=_taste(rng, persona, N_BRANDS, liked=6, gain=1.2, noise=0.5),
        colours=_taste(rng, persona, len(COLOURS), liked=2, gain=1.2, noise=0.5),
        patterns=_taste(rng, persona, len(PATTERNS), liked=1, gain=0.9, noise=0.4),
        price_place=(0.9 * np.sin(2.4 * persona) + rng.normal(0, 0.4, n)).astype(np.float32),
        price_weight=rng.uniform(0.1, 0.6, n).astype(np.float32),
    )


def _taste(rng: np.random.Generator, persona: Codes, width: int, liked: int, gain: float, noise: float) -> Floats:
    """(n, width) utilities: each persona likes so many columns by *gain*; each user differs by *noise*."""
    likes = np.argsort(rng.random((PERSONAS, width)), axis=1) < liked
    taste = gain * likes[persona] + rng.normal(0.0, noise, (len(persona), width))
    return np.asarray(taste - taste.mean(axis=0), dtype=np.float32)
