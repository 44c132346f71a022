"""Features of 200 items: the release's own columns against Feast on the store's SQLite; and the row of one user."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import user_row
from components.common import columns as c
from components.common.errors import CuveeError
from components.common.services import ITEM_ATTRIBUTES
from components.deploy.publish import champion
from serving.catalogue import Catalogue
from serving.features import open_store

ITEMS, REPETITIONS, FEAST_REPETITIONS = 200, 2_000, 50
USERS = 500
COLUMNS = (c.PRICE, c.PRICE_NORM, c.AVAILABLE)  # the numbers of an item that answers read


def measure(store: Path, out: Path, seed: int = 0) -> dict[str, Any]:
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
    return items | {"user": user_row.user_rows(store, out / "features", catalogue, USERS, seed)}


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
    """One line of the items, and those of a user."""
    return [
        f"{ITEMS} items, {len(COLUMNS)} features: {found['snapshot_us']:.1f} µs from the release's columns, "
        f"{found['feast_us']:.0f} µs from Feast on SQLite ({found['feast_us'] / found['snapshot_us']:.0f} times); "
        f"{found['differ']} of {found['cells']} cells differ",
        *user_row.tell(found["user"]),
    ]
