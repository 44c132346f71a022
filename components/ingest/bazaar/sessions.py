"""Visits: what is searched for, looked at, put into the cart and bought."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.choices import Shelves, choose_items, choose_types
from components.ingest.bazaar.config import DAY, DAYS, SECOND, BazaarConfig
from components.ingest.bazaar.words import DEPARTMENT_OF, GOES_WITH
from components.ingest.bazaar.world import BRANDS_EACH, Codes, World
from serving.arrays import Bools, Floats, Ints, Longs

SESSIONS_EACH = 12  # a year, on average
LOOKS_MORE = 2.5  # items looked at beyond the first, on average
SEARCHED, STRAYS = 0.35, 0.15  # share of the visits that begin with a search; of the looks at another type
WEEKDAYS = np.array([1.0, 0.9, 0.9, 1.0, 1.2, 1.6, 1.5])
EVENING = 19.5  # h
CARTED, CART_BY_MATCH, CART_BY_QUALITY = -1.6, 0.6, 0.4  # log-odds of the cart
BOUGHT, MORE_TOO, SAME_COLOUR_WISHED = 0.65, 0.4, 0.7
NO_WISH = -1
# columns of the events before they are spelt: codes instead of ids, µs from the shop's first moment
SESSION, NO_CODE = "session", -1


@dataclass(frozen=True)
class Sessions:
    """(n,) arrays, a row per visit of a block; (n, 3) *wish*: colour, pattern, brand the search names, -1 none."""

    block: int
    user: Ints
    start: Longs  # µs from the first moment
    type: Ints
    searched: Bools
    wish: Ints


def make_sessions(config: BazaarConfig, world: World, block: int) -> Sessions:
    """Draw the visits of a *block* of users: when, what for, and whether they begin with a search."""
    rng, members = config.rng("sessions", block), config.blocks()[block]
    counts = np.maximum(rng.poisson(SESSIONS_EACH * world.users.activity[members]), 1)
    users = np.repeat(members, counts)
    weights = np.resize(WEEKDAYS, DAYS)
    days = rng.choice(DAYS, len(users), p=weights / weights.sum())
    seconds = np.mod(rng.normal(EVENING, 3.5, len(users)), 24) * 3600
    types = choose_types(world, users, rng)
    searched = rng.random(len(users)) < SEARCHED
    wish = np.where(searched[:, None], _wishes(world, users, types, rng), NO_WISH).astype(np.int32)
    return Sessions(block, users, days * DAY + (seconds * SECOND).astype(np.int64), types, searched, wish)


def visits(config: BazaarConfig, world: World, shelves: Shelves, sessions: Sessions) -> pd.DataFrame:
    """Events of the visits: click and view of every item looked at, cart, purchase, and what goes with it.

    Returns:
        user, item, session, event, time (µs from the first moment), value.
    """
    rng = config.rng("visits", sessions.block)
    looks = _looks(world, shelves, sessions, rng)
    bought, parts = _decide(world, looks, sessions, rng)
    return pd.concat([*parts, *_goes_with(world, shelves, bought, rng)], ignore_index=True)


def event_rows(kind: str, rows: pd.DataFrame, delay: "Codes | float", value: "Codes | None" = None) -> pd.DataFrame:
    """*rows* (user, item, session, time) as events of one *kind*, *delay* (n,) or one number of seconds later."""
    times = rows["time"].to_numpy() + (np.asarray(delay) * SECOND).astype(np.int64)
    kept = {name: rows[name].to_numpy() for name in (c.USER, c.ITEM, SESSION)}
    valued = {} if value is None else {c.VALUE: value}
    return pd.DataFrame({**kept, c.EVENT: kind, "time": times, **valued})


def quantities(n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(n,) how many pieces each purchase holds; mostly one."""
    return np.asarray(1.0 + rng.poisson(0.12, n), dtype=np.float64)


def _wishes(world: World, users: Ints, types: Ints, rng: np.random.Generator) -> Ints:
    """(n, 3) colour, pattern and brand that each user would name: the liked ones, each in some of the searches."""
    who = world.users
    named = rng.random(len(users))
    first_brand = DEPARTMENT_OF[types] * BRANDS_EACH
    brands = who.brands[users[:, None], first_brand[:, None] + np.arange(BRANDS_EACH)]
    liked = [
        np.argmax(taste + rng.gumbel(size=taste.shape).astype(np.float32), axis=1)
        for taste in (who.colours[users], who.patterns[users], brands)
    ]
    liked[2] = liked[2] + first_brand
    shown = (named < 0.5, (named >= 0.4) & (named < 0.6), (named >= 0.6) & (named < 0.75))
    return np.stack([np.where(show, column, NO_WISH) for show, column in zip(shown, liked, strict=True)], axis=1)


def _looks(world: World, shelves: Shelves, sessions: Sessions, rng: np.random.Generator) -> pd.DataFrame:
    """Every item looked at: user, item, session, time, whether the visit was after it."""
    counts = 1 + rng.poisson(LOOKS_MORE, len(sessions.user))
    session = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    place = np.arange(len(session)) - np.repeat(np.cumsum(counts) - counts, counts)
    stray = rng.random(len(session)) < STRAYS
    users = sessions.user[session]
    types = np.where(stray, choose_types(world, users, rng), sessions.type[session])
    wish = np.where(stray[:, None], NO_WISH, sessions.wish[session])
    time = sessions.start[session] + ((20 + 60 * place + rng.uniform(0, 30, len(place))) * SECOND).astype(np.int64)
    items = choose_items(world, shelves, users, types, _days(time), wish, rng)
    return pd.DataFrame({c.USER: users, c.ITEM: items, SESSION: session, "time": time, "type": types, "stray": stray})


def _decide(
    world: World, looks: pd.DataFrame, sessions: Sessions, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """What is bought, one item of a type a visit, and the events on the way there."""
    users, items = looks[c.USER].to_numpy(), looks[c.ITEM].to_numpy()
    match = world.affinity(users, items)
    odds = CARTED + CART_BY_MATCH * (match - match.mean()) + CART_BY_QUALITY * world.items.quality[items]
    carted = looks[(rng.random(len(looks)) < 1 / (1 + np.exp(-odds))) & world.items.available[items]]
    bought = carted[rng.random(len(carted)) < BOUGHT].drop_duplicates([SESSION, "type"])
    clicked = looks[sessions.searched[looks[SESSION].to_numpy()] & ~looks["stray"]]
    parts = [
        event_rows("click", clicked, -2.0),
        event_rows("view", looks, 0.0),
        event_rows("cart", carted, 15.0),
        event_rows("purchase", bought, 900.0, quantities(len(bought), rng)),
    ]
    return bought, parts


def _goes_with(world: World, shelves: Shelves, bought: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Some who bought look at what goes with it, often in the same colour, and most of them take it too."""
    more = bought[rng.random(len(bought)) < MORE_TOO]
    types = complement_types(more["type"].to_numpy(), rng)
    wish = np.full((len(more), 3), NO_WISH, dtype=np.int32)
    alike = rng.random(len(more)) < SAME_COLOUR_WISHED
    wish[alike, 0] = world.items.colour[more[c.ITEM].to_numpy()[alike]]
    found = choose_items(world, shelves, more[c.USER].to_numpy(), types, _days(more["time"].to_numpy()), wish, rng)
    more = more.assign(**{c.ITEM: found})
    too = more[(rng.random(len(more)) < BOUGHT) & world.items.available[found]]
    return [
        event_rows("view", more, 300.0),
        event_rows("cart", too, 320.0),
        event_rows("purchase", too, 900.0, quantities(len(too), rng)),
    ]


def complement_types(types: Codes, rng: np.random.Generator) -> Ints:
    """(n,) one of the types that go with each of *types* (n,)."""
    counts = np.array([len(others) for others in GOES_WITH])
    table = np.array([np.resize(others, counts.max()) for others in GOES_WITH])
    column = (rng.random(len(types)) * counts[types]).astype(np.int64)
    return np.asarray(table[types, column], dtype=np.int32)


def _days(times: Longs) -> Floats:
    return np.asarray(times / DAY, dtype=np.float32)
