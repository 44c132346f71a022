"""The truth behind the tables, for tests and for showing what a method recovers; no stage reads it."""

from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.files import write_json
from components.ingest.bazaar import impressions
from components.ingest.bazaar.search import FACETS
from components.ingest.bazaar.shop import Bazaar
from components.ingest.bazaar.tables import item_ids, promotion_ids, user_ids
from components.ingest.bazaar.words import BRAND_WORDS, CATEGORY_NAMES, CATEGORY_OF, COLOURS, PATTERNS, TYPES
from components.ingest.bazaar.world import LANGUAGES, Codes, Items, Users

FOLDER = "truth"
TYPE_NAMES = [kind.name.en for kind in TYPES]
COLOUR_NAMES = [word.en for word, _ in COLOURS]
PATTERN_NAMES = [word.en for word in PATTERNS]
BRAND_NAMES = [word.en for word in BRAND_WORDS]


def write_truth(bazaar: Bazaar, queries: pd.DataFrame, folder: Path) -> None:
    """Write items, users (with tastes), promotions, targets, queries and the click model to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in truth_tables(bazaar, queries).items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    write_json(folder / "clicks.json", click_model())


def truth_tables(bazaar: Bazaar, queries: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The truth by name, with the ids that the shop's tables use; *queries* in codes."""
    targets = bazaar.targets
    return {
        "items": _items(bazaar.world.items),
        "users": _users(bazaar.world.users),
        "promotions": _promotions(bazaar),
        "targets": pd.DataFrame(
            {
                c.CAMPAIGN_ID: promotion_ids(targets["place"]),
                c.USER_ID: user_ids(targets[c.USER]),
                "uplift": targets["uplift"],
            }
        ),
        "queries": _queries(queries),
    }


def click_model() -> dict[str, object]:
    """P(click) = examined[position] x attraction, with attraction = 1 / (1 + exp(-log-odds))."""
    return {
        "examined": [round(float(share), 6) for share in impressions.EXAMINED],
        "ad_examined": float(impressions.AD_EXAMINED),
        "log_odds": {
            "base": impressions.ATTRACTION,
            "by_match": impressions.BY_MATCH,
            "off_topic_in_search": impressions.OFF_TOPIC,
        },
        "bought_of_clicked": impressions.BOUGHT,
        "policy": {
            "candidates": impressions.CANDIDATES,
            "shown": impressions.SHOWN,
            "shuffled": impressions.SHUFFLED,
        },
    }


def _items(items: Items) -> pd.DataFrame:
    return pd.DataFrame(
        {
            c.ITEM_ID: item_ids(np.arange(len(items))),
            "type": _names(TYPE_NAMES, items.type),
            c.CATEGORY: _names(CATEGORY_NAMES, CATEGORY_OF[items.type]),
            c.BRAND: _names(BRAND_NAMES, items.brand),
            "colour": _names(COLOUR_NAMES, items.colour),
            "pattern": _names(PATTERN_NAMES, items.pattern),
            "language": _names(LANGUAGES, items.language),
            "price_place": items.price_place,
            "quality": items.quality,
            "popularity": items.popularity,
            "photo_only": items.photo_only,
        }
    )


def _users(users: Users) -> pd.DataFrame:
    """One row per user: the tastes as columns `<kind>:<name>`."""
    kinds = {
        "type": (TYPE_NAMES, users.types),
        "brand": (BRAND_NAMES, users.brands),
        "colour": (COLOUR_NAMES, users.colours),
        "pattern": (PATTERN_NAMES, users.patterns),
    }
    tastes = {f"{kind}:{name}": taste[:, i] for kind, (names, taste) in kinds.items() for i, name in enumerate(names)}
    told = {
        c.USER_ID: user_ids(np.arange(len(users))),
        "persona": users.persona,
        "activity": users.activity,
        "price_place": users.price_place,
        "price_weight": users.price_weight,
    }
    return pd.DataFrame(told | tastes)


def _promotions(bazaar: Bazaar) -> pd.DataFrame:
    """A row per promotion: how many it targets and the purchases it causes per targeted user."""
    by_place = bazaar.targets.groupby("place")["uplift"]
    return pd.DataFrame(
        {
            c.CAMPAIGN_ID: promotion_ids(by_place.size().index.to_numpy()),
            "targeted": by_place.size().to_numpy(),
            "lift": by_place.mean().to_numpy(),
        }
    )


def _queries(queries: pd.DataFrame) -> pd.DataFrame:
    """The judged queries with what they ask for; slip: typed wrongly."""
    named = {"type": TYPE_NAMES, "colour": COLOUR_NAMES, "pattern": PATTERN_NAMES, "brand": BRAND_NAMES}
    asked = {name: _names(named[name], queries[name].to_numpy()) for name in ("type", *FACETS)}
    told = {"language": _names(LANGUAGES, queries["language"].to_numpy()), "synonym": queries["also"]}
    return pd.DataFrame({c.QUERY: queries[c.QUERY], **asked, **told, "slip": queries["slip"] > 0})


def _names(names: "list[str] | tuple[str, ...]", codes: Codes) -> Codes:
    """Names by code; None for -1."""
    return np.array([*names, None], dtype=object)[codes]
