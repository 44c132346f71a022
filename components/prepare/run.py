"""prepare: checked tables in, the prepared shop out."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.config import Config, Effort, Protocol, ShopConfig
from components.common.corrections import Correction
from components.common.errors import InputError
from components.common.files import read_json, write_json
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared, Split
from components.prepare import clean, split
from components.prepare.normalise import fit_normaliser
from components.prepare.redeemed import REDEMPTIONS_FILE, redeemed
from components.prepare.tables import code, item_table, keep_items, read_events, review_table, user_table
from serving.arrays import Bools
from serving.normaliser import Normaliser

CLEANING_FILE, NORMALISER_FILE, SEARCHES_FILE = "cleaning.json", "normaliser.json", "searches.parquet"
PASSED_ON = (
    "relations.parquet",
    "judgements.parquet",
    "campaigns.parquet",
    "campaign_users.parquet",
    "impressions.parquet",
)
EVENT_COLUMNS = [c.USER, c.ITEM, c.EVENT, c.TIMESTAMP, c.VALUE, c.PRICE, c.VISIT, c.FROM_END]


class PrepareConfig(Config):
    """How to divide the events."""

    protocol: Protocol
    effort: Effort
    seed: int


def prepare(tables: Path, out: Path, protocol: str, effort: str, seed: int) -> dict[str, Any]:
    """Clean, normalise and split the folder *tables*; write the prepared shop to *out*.

    Returns:
        Counts: users, items, events, train, fit, test.

    Raises:
        InputError: too few events, or a span too short, for the protocol; an unknown protocol or effort.
    """
    config = PrepareConfig.parse({"protocol": protocol, "effort": effort, "seed": seed}, "prepare")
    shop = ShopConfig.parse(read_json(tables / "shop.json"), str(tables / "shop.json"))
    users = pd.read_parquet(tables / "users.parquet") if (tables / "users.parquet").exists() else None
    events = read_events(tables / "events.parquet")
    items = pd.read_parquet(tables / "items.parquet")
    prepared, normaliser, corrections, searches = build(items, events, users, shop, config)
    prepared.save(out)
    redeemed(tables / "events.parquet", out / REDEMPTIONS_FILE)
    normaliser.save(out / NORMALISER_FILE)
    write_json(out / CLEANING_FILE, {"corrections": [done.report() for done in corrections]})
    if len(searches):
        searches.to_parquet(out / SEARCHES_FILE, index=False)
    for name in PASSED_ON:
        if (tables / name).exists():
            shutil.copyfile(tables / name, out / name)
    return prepared.counts()


def build(
    items: pd.DataFrame,
    events: pd.DataFrame,
    users: pd.DataFrame | None,
    shop: ShopConfig,
    config: PrepareConfig,
) -> tuple[Prepared, Normaliser, list[Correction], pd.DataFrame]:
    """The pure core of `prepare`: prepared shop, normaliser, corrections made, searches (user, query, timestamp)."""
    events, corrections = _clean_events(events)
    table, users_table = item_table(items), user_table(events, users)
    for column in (c.TITLE, c.DESCRIPTION):
        table, done = clean.tidy_text(table, column)
        corrections.append(done)
    searches, coded = _coded(events, table, users_table)
    repeats = _repeats(coded, shop)
    if config.protocol == "leave-one-out":
        coded, done = _without_ties(coded)
        corrections.append(done)
    division = _division(coded, searches, table, shop, config, repeats)
    kept = _catalogue(coded, len(table), division, shop)
    corrections.append(
        Correction("min_item_users", "items", "items hardly met before the test", len(table), int(kept.sum()))
    )
    table, coded = keep_items(table, coded, kept)
    coded = _numbered(coded)
    if config.protocol == "leave-one-out" and len(coded):
        split.leave_one_out_cuts(coded[c.FROM_END].to_numpy())
    table, coded, normaliser, more = _normalised(table, coded, division)
    prepared = Prepared(coded[EVENT_COLUMNS], table, users_table, division, shop, review_table(coded))
    return prepared, normaliser, corrections + more, searches


def _clean_events(events: pd.DataFrame) -> tuple[pd.DataFrame, list[Correction]]:
    events, duplicates = clean.drop_exact_duplicates(events)
    events, empty = clean.drop_empty_purchases(events)
    return events, [duplicates, empty]


def _coded(events: pd.DataFrame, items: pd.DataFrame, users: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Searches (user, query, timestamp), and events of items sorted by user, time and original order."""
    coded = events.assign(**{c.USER: code(events[c.USER_ID], users[c.USER_ID], c.USER_ID)})
    order = np.lexsort((microseconds(coded[c.TIMESTAMP]), coded[c.USER].to_numpy()))
    coded = coded.iloc[order]
    search = (coded[c.EVENT] == "search") | coded[c.ITEM_ID].isna()
    searches = coded.loc[search & coded[c.QUERY].notna(), [c.USER, c.QUERY, c.TIMESTAMP]].reset_index(drop=True)
    met = coded[~search].drop(columns=[c.USER_ID, c.QUERY]).reset_index(drop=True)
    return searches, met.assign(**{c.ITEM: code(met[c.ITEM_ID], items[c.ITEM_ID], c.ITEM_ID)})


def _target_events(events: pd.DataFrame, shop: ShopConfig) -> tuple[str, ...]:
    present = set(events[c.EVENT].unique())
    if shop.target_events:
        return shop.target_events
    return ("purchase",) if "purchase" in present else tuple(sorted(present))


def _repeats(events: pd.DataFrame, shop: ShopConfig) -> bool:
    if shop.repeat_purchases is not None:
        return shop.repeat_purchases
    wanted = events[events[c.EVENT].isin(_target_events(events, shop))]
    return split.repeat_share(wanted) > split.REPEAT_SHARE


def _without_ties(events: pd.DataFrame) -> tuple[pd.DataFrame, Correction]:
    times, moved = split.spread_ties(events[c.USER].to_numpy(), microseconds(events[c.TIMESTAMP]))
    why = "leave-one-out needs one order: equal times of a user are told apart by microseconds, in the order given"
    done = Correction("equal_times", "events", why, len(events), changed=moved)
    return events.assign(**{c.TIMESTAMP: pd.to_datetime(times, unit="us", utc=True).as_unit("us")}), done


def _division(
    events: pd.DataFrame,
    searches: pd.DataFrame,
    items: pd.DataFrame,
    shop: ShopConfig,
    config: PrepareConfig,
    repeats: bool,
) -> Split:
    times = microseconds(events[c.TIMESTAMP])
    target_events = _target_events(events, shop)
    if not len(events):
        cuts: tuple[Cut, ...] = (Cut(name="test", role="test", members="final"),)
        moments = pd.concat([searches[c.TIMESTAMP], items[c.CREATED_AT].dropna()])
        last = int(microseconds(moments).max()) if len(moments) else 0
    else:
        last = int(times.max())
        if config.protocol == "leave-one-out":
            cuts = split.leave_one_out_cuts(split.from_end(events[c.USER].to_numpy()))
        else:
            targets = events[c.EVENT].isin(target_events).to_numpy()
            cuts = split.temporal_cuts(times, targets, config.effort, shop.window_days)
    return Split(
        protocol=config.protocol,
        seed=config.seed,
        cuts=cuts,
        repeats=repeats,
        target_events=target_events,
        last_event=last,
    )


def _known(events: pd.DataFrame, cut: Cut) -> Bools:
    """(n_events,) may members of *cut* learn from the event; events hold every column but from_end."""
    if cut.hold_out is not None:
        return np.asarray(split.from_end(events[c.USER].to_numpy()) >= cut.train_from_end)
    return (
        np.asarray(microseconds(events[c.TIMESTAMP]) < cut.as_of)
        if cut.as_of is not None
        else np.zeros(len(events), bool)
    )


def _catalogue(events: pd.DataFrame, n_items: int, division: Split, shop: ShopConfig) -> Bools:
    """(n_items,) is the item in the catalogue: met by enough users before the test."""
    if not shop.min_item_users or not len(events):
        return np.ones(n_items, bool)
    before = events[_known(events, division.test)]
    kept = split.popular_enough(before[c.USER].to_numpy(), before[c.ITEM].to_numpy(), n_items, shop.min_item_users)
    if not kept.any():
        raise InputError(
            f"no item was met by {shop.min_item_users} users before the test (min_item_users in shop.yaml); "
            "expected at least one. Lower min_item_users or give more events."
        )
    return kept


def _numbered(events: pd.DataFrame) -> pd.DataFrame:
    users = events[c.USER].to_numpy()
    numbers = {c.VISIT: split.visits(users, microseconds(events[c.TIMESTAMP])), c.FROM_END: split.from_end(users)}
    return events.reset_index(drop=True).assign(**numbers)


def _normalised(
    items: pd.DataFrame, events: pd.DataFrame, division: Split
) -> tuple[pd.DataFrame, pd.DataFrame, Normaliser, list[Correction]]:
    """Clip, fill and scale by what precedes the first window: no later cut shows through."""
    train = _known(events, division.cuts[0])
    events, clipped = clean.clip_quantities(events, train)
    items, filled = clean.fill_prices(items, events, train)
    met = np.unique(events[c.ITEM].to_numpy()[train]) if len(events) else np.arange(len(items))
    normaliser = fit_normaliser(items[c.PRICE].to_numpy(dtype=np.float64)[met])
    items = items.assign(**{c.PRICE_NORM: normaliser.price_norm(items[c.PRICE])})
    return items, events, normaliser, [clipped, filled]
