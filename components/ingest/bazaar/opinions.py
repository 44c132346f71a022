"""What buyers say afterwards: stars, reviews and posts whose words follow the item's hidden quality."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.config import DAY, SECOND, BazaarConfig
from components.ingest.bazaar.sayings import CLOSINGS, CONTENT, OPENINGS, POSTS
from components.ingest.bazaar.sessions import event_rows
from components.ingest.bazaar.words import DEPARTMENT_OF, DEPARTMENTS, TYPES
from components.ingest.bazaar.world import LANGUAGES, World
from serving.arrays import Floats, Ints

RATED, WRITTEN, SHARED = 0.4, 0.6, 0.08  # shares of the purchases, of the ratings, of the purchases
STARS, BY_QUALITY, BY_MATCH, CHANCE = 3.5, 0.85, 0.35, 0.6
SOON, LATE = 2 * DAY, 20 * DAY  # when opinions come after the purchase


def opinions(
    config: BazaarConfig, world: World, bought: pd.DataFrame, titles: npt.NDArray[np.object_], block: int
) -> pd.DataFrame:
    """Ratings, reviews and shares of some of the purchases *bought* (user, item, session, time).

    Returns:
        user, item, session, event, time, value (stars), text; some lie beyond the shop's last day.
    """
    rng = config.rng("opinions", block)
    rated = bought[rng.random(len(bought)) < RATED]
    value = stars(world, rated, rng)
    later = rng.integers(SOON, LATE, len(rated)) / SECOND
    written = rng.random(len(rated)) < WRITTEN
    reviews = event_rows("review", rated[written], later[written] + 60.0, value[written])
    shared = bought[rng.random(len(bought)) < SHARED]
    posts = event_rows("share", shared, rng.integers(DAY // 24, SOON, len(shared)) / SECOND)
    texts = [*_reviews(world, reviews, rng), *_posts(world, posts, titles, rng), *[None] * len(rated)]
    parts = [reviews, posts, event_rows("rating", rated, later, value)]
    return pd.concat(parts, ignore_index=True).assign(**{c.TEXT: np.array(texts, dtype=object)})


def stars(world: World, rated: pd.DataFrame, rng: np.random.Generator) -> Floats:
    """(n,) 1 to 5, higher for items of quality that match the user."""
    items = rated[c.ITEM].to_numpy()
    match = world.affinity(rated[c.USER].to_numpy(), items)
    felt = STARS + BY_QUALITY * world.items.quality[items] + BY_MATCH * (match - match.mean() if len(match) else match)
    return np.asarray(np.clip(np.round(felt + rng.normal(0, CHANCE, len(rated))), 1, 5), dtype=np.float32)


def mood(value: Floats) -> Ints:
    """(n,) place in `CONTENT` of each number of stars."""
    return np.digitize(value, [2.5, 3.5]).astype(np.int32)


def _reviews(world: World, rows: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """One text for each review in its writer's language."""
    return [
        _said(LANGUAGES[language], CONTENT[content], kind, first, last)
        for language, content, kind, (first, last) in zip(
            world.users.language[rows[c.USER].to_numpy()],
            mood(rows[c.VALUE].to_numpy()),
            world.items.type[rows[c.ITEM].to_numpy()],
            rng.random((len(rows), 2)),
            strict=True,
        )
    ]


def _said(language: str, content: str, kind: int, first: float, last: float) -> str:
    openings, closings = OPENINGS[language][content], CLOSINGS[language][content]
    name = TYPES[kind].name
    opening = openings[int(first * len(openings))].format(noun=name.en if language == "en" else name.zh)
    return f"{opening}{' ' if language == 'en' else ''}{closings[int(last * len(closings))]}".strip()


def _posts(world: World, rows: pd.DataFrame, titles: npt.NDArray[np.object_], rng: np.random.Generator) -> list[str]:
    """One text for each share in its writer's language."""
    posts = []
    for user, item, drawn in zip(rows[c.USER], rows[c.ITEM], rng.random(len(rows)), strict=True):
        language, kind = LANGUAGES[world.users.language[user]], world.items.type[item]
        name = TYPES[kind].name
        noun, tag = (name.en if language == "en" else name.zh), DEPARTMENTS[DEPARTMENT_OF[kind]].lower()
        pool = POSTS[language]
        posts.append(pool[int(drawn * len(pool))].format(title=titles[item], noun=noun, tag=tag))
    return posts
