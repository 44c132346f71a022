"""What the page shows beside an answer: the items' titles, prices and photos, and what the release can be asked."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from pydantic import Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from components.common import columns as c
from serving.arrays import PAD
from serving.engine import Engine
from serving.instances import CLOSED, MAX_K, Id, RequestError
from serving.queries import ADS, ASKED, CAMPAIGN, DISCOVERY, NEXT_BASKET, RECOMMEND, SEARCH
from serving.storefront.own import OwnShop
from serving.storefront.photos import photo_path

FOR_USERS = (DISCOVERY, NEXT_BASKET)
TASKS = {RECOMMEND: FOR_USERS, CAMPAIGN: FOR_USERS, ADS: (*FOR_USERS, SEARCH)}  # of the others: the scenario itself
SHOWN = (c.TITLE, c.CATEGORY, c.BRAND, c.PRICE, c.AVAILABLE, c.SENTIMENT, c.REVIEWS)


@with_config(CLOSED)
class Asked(TypedDict):
    """Whose particulars the page wants."""

    item_ids: Annotated[list[Id], Field(max_length=MAX_K)]


_asked = TypeAdapter(Asked)


def parse(body: bytes) -> list[str]:
    """The ids of a body {"item_ids": [...]}.

    Raises:
        RequestError: it is something else.
    """
    try:
        return list(_asked.validate_json(body)["item_ids"])
    except ValidationError as error:
        raise RequestError(f'the body is a JSON object with "item_ids": at most {MAX_K} strings') from error


def items(engine: Engine, wanted: list[str], root: Path | None) -> dict[str, dict[str, Any]]:
    """By item id: title, category, brand, price, available, photo (a path below the page, or null); and sentiment
    and reviews where the release has them. Ids that the release does not know are left out.

    Args:
        engine: of the release that is served.
        wanted: item ids.
        root: the shop's folder; None: no photos.
    """
    rows = engine.catalogue.index(wanted)
    known = rows[rows != PAD]
    frame = engine.catalogue.items.iloc[known]
    columns = {name: frame[name].tolist() for name in SHOWN if name in frame}
    images = frame[c.IMAGE].tolist() if root and c.IMAGE in frame else [None] * len(frame)
    found = {}
    for place, item_id in enumerate(engine.catalogue.ids[row] for row in known):
        photo = photo_path(root, images[place]) if root else None
        particulars = {name: _plain(values[place]) for name, values in columns.items()}
        found[item_id] = particulars | {"photo": f"photos/{quote(item_id, safe='')}" if photo else None}
    return found


def about(engine: Engine, shop: OwnShop | None) -> dict[str, Any]:
    """What the release can be asked, by whom, and the members that answer by scenario."""
    tasks = engine.fusion.tasks if engine.fusion else {}
    served: dict[str, list[str]] = {}
    for scenario in ASKED:
        if engine.serves(scenario, True) or engine.serves(scenario, False):
            blends = [tasks[task] for task in TASKS.get(scenario, (scenario,)) if task in tasks]
            served[scenario] = sorted({name for one in blends for name in one.methods[one.chosen].members})
    return {
        "release": engine.digest,
        "items": len(engine.catalogue),
        "currency": engine.shop.currency,
        "scenarios": served,
        "users": list(shop.users) if shop else [],
        "queries": list(shop.queries) if shop else [],
    }


def _plain(value: Any) -> Any:
    """A cell as JSON has it; null where it is unknown."""
    if isinstance(value, str | bool):
        return value
    if value is None or pd.isna(value) or not np.isfinite(value):
        return None
    return value
