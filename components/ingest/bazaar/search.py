"""What people type, and how well every item answers it."""

import numpy as np
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.sessions import NO_WISH, Sessions
from components.ingest.bazaar.words import BRAND_WORDS, CATEGORY_OF, COLOURS, PATTERNS, TYPES
from components.ingest.bazaar.world import EN, Items, World
from serving.arrays import Floats, Ints

FACETS = ("colour", "pattern", "brand")
SYNONYM, TYPO = 0.25, 0.06  # shares of the searches
JUDGED, WRONG_JUDGED = 300, 20  # queries with judgements; items of grade 0 in each
LANGUAGE, ALSO, SLIP = "language", "also", "slip"


def make_searches(config: BazaarConfig, world: World, sessions: Sessions) -> pd.DataFrame:
    """The searches that begin visits.

    Returns:
        session, type, colour, pattern, brand (-1: not named), language, also (a synonym), slip (a typing error: which
        two letters are swapped, -1 none), query.
    """
    rng = config.rng("searches", sessions.block)
    rows = np.flatnonzero(sessions.searched)
    wish = sessions.wish[rows]
    language = world.users.language[sessions.user[rows]]
    slip = np.where((rng.random(len(rows)) < TYPO) & (language == EN), rng.integers(1, 4, size=len(rows)), -1)
    asked = pd.DataFrame(
        {
            "session": rows, "type": sessions.type[rows], **{name: wish[:, i] for i, name in enumerate(FACETS)},
            LANGUAGE: language, ALSO: rng.random(len(rows)) < SYNONYM, SLIP: slip,
        }
    )  # fmt: skip
    kinds = asked.drop(columns="session").drop_duplicates()
    typed = kinds.assign(**{c.QUERY: [spelt(*row) for row in kinds.itertuples(index=False)]})
    return asked.merge(typed, on=list(kinds.columns), how="left", sort=False)


def judged(config: BazaarConfig, items: Items, searches: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Queries that people typed, drawn by how often, with the grade of every item that answers them.

    Returns:
        The queries (facets, language, query) and the judgements (query, item, grade).
    """
    rng = config.rng("judgements")
    distinct = searches.drop(columns="session").drop_duplicates(c.QUERY)
    counts = distinct[c.QUERY].map(searches[c.QUERY].value_counts()).to_numpy(dtype=np.float64)
    drawn = rng.choice(len(distinct), min(JUDGED, len(distinct)), replace=False, p=counts / counts.sum())
    chosen = distinct.iloc[np.sort(drawn)].reset_index(drop=True)
    parts = []
    for place, row in enumerate(chosen[["type", *FACETS]].to_numpy(dtype=np.int32)):
        grade = grades(items, row)
        wrong = rng.choice(np.flatnonzero(grade == 0), WRONG_JUDGED, replace=False)
        found = np.sort(np.concatenate([np.flatnonzero(grade), wrong]))
        parts.append(pd.DataFrame({"place": place, c.ITEM: found, c.GRADE: grade[found]}))
    rows = pd.concat(parts, ignore_index=True)
    return chosen, rows.assign(**{c.QUERY: chosen[c.QUERY].to_numpy()[rows.pop("place")]})


def grades(items: Items, asked: Ints) -> Floats:
    """(n,) how well each item answers *asked* (type, colour, pattern, brand; -1: not named).

    3: the type and all that is named; 2: the type, one named facet missing; 1: the type, more missing, or another
    type of the same category with all that is named; 0: anything else.
    """
    facets = (items.colour, items.pattern, items.brand)
    missing = np.zeros(len(items), dtype=np.int64)
    for facet, value in zip(facets, asked[1:], strict=True):
        missing += (facet != value) & (value != NO_WISH)
    of_type = items.type == asked[0]
    sibling = (CATEGORY_OF[items.type] == CATEGORY_OF[asked[0]]) & (missing == 0)
    graded: Floats = np.where(of_type, np.maximum(3 - missing, 1), sibling).astype(np.float32)
    return graded


def spelt(kind: int, colour: int, pattern: int, brand: int, language: int, also: bool, slip: int) -> str:
    """The query as typed in English or Chinese."""
    name = TYPES[kind].name
    words = [BRAND_WORDS[brand]] if brand != NO_WISH else []
    words += [COLOURS[colour][0]] if colour != NO_WISH else []
    words += [PATTERNS[pattern]] if pattern != NO_WISH else []
    if language != EN:
        return "".join(word.zh for word in words) + (name.also_zh if also else name.zh)
    text = " ".join([*(word.en for word in words), name.also_en if also else name.en]).lower()
    start = len(text) - len(text.split(" ")[-1]) + slip if slip > 0 else len(text)  # inside the last word
    return text if start + 1 >= len(text) else text[:start] + text[start + 1] + text[start] + text[start + 2 :]
