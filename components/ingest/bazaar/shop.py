"""A whole simulated shop: what stands at once, and its visits, a block of users after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.tables import canonical
from components.ingest.bazaar.campaigns import lifted, make_ads, make_promotions, make_targets, redeem
from components.ingest.bazaar.catalogue import described
from components.ingest.bazaar.choices import Shelves
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.impressions import clicks, make_impressions
from components.ingest.bazaar.opinions import opinions
from components.ingest.bazaar.relations import make_relations
from components.ingest.bazaar.search import judged, make_searches
from components.ingest.bazaar.sessions import Sessions, make_sessions, visits
from components.ingest.bazaar.tables import (
    campaign_table,
    event_table,
    impression_table,
    item_ids,
    item_table,
    promotion_ids,
    relation_table,
    search_events,
    user_ids,
    user_table,
)
from components.ingest.bazaar.world import World, make_world

LOGS = ("events", "impressions")  # tables that grow with the visits


@dataclass(frozen=True)
class Bazaar:
    """What stands before anybody visits; codes are row numbers of items and users."""

    config: BazaarConfig
    world: World
    shelves: Shelves
    catalogue: pd.DataFrame
    promotions: pd.DataFrame
    targets: pd.DataFrame
    ads: pd.DataFrame


@dataclass(frozen=True)
class Block:
    """What a block of users did: canonical tables by name, and their searches in codes."""

    tables: dict[str, pd.DataFrame]
    searches: pd.DataFrame
    visits: int


def make_bazaar(config: BazaarConfig) -> Bazaar:
    """Draw the truth of *config*'s shop; the same config gives the same shop to the last bit."""
    world = make_world(config)
    promotions = make_promotions(config, world.items)
    return Bazaar(
        config=config,
        world=world,
        shelves=Shelves(world.items),
        catalogue=described(world.items),
        promotions=promotions,
        targets=make_targets(config, world, promotions),
        ads=make_ads(config, world.items),
    )


def standing_tables(bazaar: Bazaar) -> dict[str, pd.DataFrame]:
    """The canonical tables that do not depend on the visits."""
    targets = bazaar.targets
    told = {c.CAMPAIGN_ID: promotion_ids(targets["place"]), c.USER_ID: user_ids(targets[c.USER])}
    tables = {
        "items": item_table(bazaar.catalogue, bazaar.world.items),
        "users": user_table(bazaar.world.users),
        "campaigns": campaign_table(bazaar.promotions, bazaar.ads),
        "campaign_users": pd.DataFrame(told),
        "relations": relation_table(make_relations(bazaar.world.items)),
    }
    return {name: canonical(name, frame) for name, frame in tables.items()}


def visit_blocks(bazaar: Bazaar) -> Iterator[Block]:
    """The shop's year, a block of users after the other; events are in the order of time within a block."""
    first = 0
    for block in range(len(bazaar.config.blocks())):
        made = _visited(bazaar, make_sessions(bazaar.config, bazaar.world, block), first)
        first += made.visits
        yield made


def judgements(bazaar: Bazaar, searches: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Queries in codes, drawn from *searches*, and their canonical table of judgements."""
    queries, rows = judged(bazaar.config, bazaar.world.items, searches)
    return queries, canonical("judgements", rows.assign(**{c.ITEM_ID: item_ids(rows[c.ITEM])}))


def _visited(bazaar: Bazaar, sessions: Sessions, first: int) -> Block:
    config, world, block = bazaar.config, bazaar.world, sessions.block
    told = bazaar.targets[np.isin(bazaar.targets[c.USER], config.blocks()[block])]
    searches = make_searches(config, world, sessions)
    shown = make_impressions(config, world, bazaar.shelves, sessions, bazaar.ads)
    parts = [
        visits(config, world, bazaar.shelves, sessions),
        lifted(config, world, bazaar.promotions, told, block),
        clicks(config, shown, block),
        search_events(sessions, searches),
    ]
    events = redeem(pd.concat(parts, ignore_index=True), bazaar.promotions, told, len(world.items))
    bought = events[events[c.EVENT] == "purchase"]
    said = opinions(config, world, bought, bazaar.catalogue[c.TITLE].to_numpy(), block)
    tables = {
        "events": event_table(pd.concat([events, said], ignore_index=True), world.items, first),
        "impressions": impression_table(shown, searches, first),
    }
    checked = {name: canonical(name, frame) for name, frame in tables.items()}
    return Block(checked, searches, len(sessions.user))
