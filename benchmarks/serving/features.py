"""Features of 200 items: the release's own columns against Feast on the store's SQLite; and the row of one user."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.engine import BEHAVIOUR
from benchmarks.yardstick import slower, yardstick_ms
from components.common import columns as c
from components.common.errors import CuveeError
from components.common.services import ITEM_ATTRIBUTES
from components.deploy.publish import champion
from serving.catalogue import Catalogue
from serving.features import OnlineStates, open_store

ITEMS, REPETITIONS, FEAST_REPETITIONS = 200, 2_000, 50
USERS = 500
COLUMNS = (c.PRICE, c.PRICE_NORM, c.AVAILABLE)  # the numbers of an item that answers read


def measure(store: Path, _out: Path, seed: int = 0) -> dict[str, Any]:
    """Microseconds of both ways, and in how many cells they differ in any bit; the items are drawn with *seed*."""
    release = champion(store)
    if release is None:
        raise CuveeError(f"{store} holds no published release. Run `make demo` first.")
    catalogue = Catalogue.load(release / "catalogue.parquet")
    rows = np.random.default_rng(seed).choice(len(catalogue), ITEMS, replace=False)
    arrays = [catalogue.items[name].to_numpy() for name in COLUMNS]
    feast = open_store(store, online_only=True)
    names = [f"{ITEM_ATTRIBUTES}:{name}" for name in COLUMNS]
    asked = [{c.ITEM_ID: catalogue.ids[row]} for row in rows]
    answer = feast.get_online_features(features=names, entity_rows=asked).to_dict()
    ours = [array[rows] for array in arrays]
    snapshot = _median_us(lambda: [array[rows] for array in arrays], REPETITIONS)
    online = _median_us(lambda: feast.get_online_features(features=names, entity_rows=asked), FEAST_REPETITIONS)
    differ = sum(_differ(mine, answer[name]) for mine, name in zip(ours, COLUMNS, strict=True))
    items = {"snapshot_us": snapshot, "feast_us": online, "cells": ITEMS * len(COLUMNS), "differ": differ}
    return items | {"user": _user(store, catalogue, seed)}


def _user(store: Path, catalogue: Catalogue, seed: int) -> dict[str, float]:
    """Microseconds in which one user's row is there as the engine wants it, and without what is made of it."""
    known = pd.read_parquet(store / BEHAVIOUR, columns=[c.USER_ID])[c.USER_ID].unique()
    asked = np.random.default_rng(seed).choice(known, USERS)
    port, now = OnlineStates(store, catalogue), int(time.time() * 1e6)
    entries = [len(port.states([user], now).items) for user in asked]
    whole = [_us(lambda user=user: port.states([user], now)) for user in asked]
    feast = [_us(lambda user=user: port.rows([user])) for user in asked]
    return {
        "p50_us": float(np.median(whole)), "p99_us": float(np.quantile(whole, 0.99)),
        "rows_p50_us": float(np.median(feast)), "users": float(len(asked)), "entries": float(np.mean(entries)),
        "slower": slower(yardstick_ms()),
    }  # fmt: skip


def _us(call: Any) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e6


def _differ(mine: Any, theirs: list[Any]) -> int:
    """Cells that are not the same number of 32 bits, or not both missing."""
    given = np.array([np.nan if value is None else value for value in theirs], dtype=np.float32)
    own = np.asarray(mine, dtype=np.float32)
    return int(((own != given) & ~(np.isnan(own) & np.isnan(given))).sum())


def _median_us(call: Any, repetitions: int) -> float:
    return float(np.median([_us(call) for _ in range(repetitions)]))


def tell(found: dict[str, Any]) -> list[str]:
    """One line of items, one of users."""
    user = found["user"]
    return [
        f"{ITEMS} items, {len(COLUMNS)} features: {found['snapshot_us']:.1f} µs from the release's columns, "
        f"{found['feast_us']:.0f} µs from Feast on SQLite ({found['feast_us'] / found['snapshot_us']:.0f} times); "
        f"{found['differ']} of {found['cells']} cells differ",
        f"one user's row from Feast on SQLite, {user['entries']:.0f} items met: {user['p50_us']:.0f} µs at the median "
        f"({user['p50_us'] / user['slower']:.0f} where the yardstick is 1), {user['p99_us']:.0f} at the 99th "
        f"percentile; without what is made of it {user['rows_p50_us']:.0f}",
    ]
