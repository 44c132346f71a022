"""The hundred best of a member by its index: how many of them it finds, and what that takes beside all products."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_shop import made_als, made_users
from components.common.errors import CuveeError
from components.package.index import BEST, index_of, questions
from serving.arrays import Floats, Ints, top_k
from serving.hidden import Hidden
from serving.members.dense import Near
from serving.queries import RECOMMEND, Queries

ITEMS, MEASURED, ASKED = 100_000, 200, 500  # users that the index is chosen by, and others who ask


def measure(_store: Path, _out: Path, n_items: int = ITEMS, asked: int = ASKED, seed: int = 0) -> dict[str, Any]:
    """Microseconds a question, asked one after another, and the share of the exact hundred that the index finds.

    Raises:
        CuveeError: no index finds enough of what it is made for.
    """
    member = made_als(n_items, seed)
    index = index_of(member, questions(member, made_users(n_items, MEASURED, seed + 1).users, seed), seed)
    told = member.asked(Queries(RECOMMEND, made_users(n_items, asked, seed + 2).users))
    if index is None or told is None:
        raise CuveeError(f"No index over {n_items} made items finds what it should.")
    index.fill()
    vectors, biased = told
    space, nothing = member.space, Hidden.nothing(n_items)

    def whole() -> Floats:
        raise CuveeError("The index found too few items.")

    def near(row: Floats) -> Ints:
        return Near(space, index, row, biased, nothing, whole).best(BEST)

    def exact(row: Floats) -> Ints:
        return top_k(row @ space.vectors.T, BEST)

    found: dict[str, list[Ints]] = {"index": [], "exact": []}
    taken: dict[str, list[float]] = {name: [] for name in found}
    for number in range(len(vectors)):
        row = vectors[number : number + 1]
        for name, way in (("index", near), ("exact", exact)):
            started = time.perf_counter()
            found[name].append(way(row))
            taken[name].append((time.perf_counter() - started) * 1e6)
    shares = [np.isin(one, other).mean() for one, other in zip(found["exact"], found["index"], strict=True)]
    return {
        "items": n_items,
        "size": int(space.vectors.shape[1]),
        "recall": float(np.mean(shares)),
        "looked_up": BEST + index.beyond,
        "us": {name: float(np.median(times)) for name, times in taken.items()},
    }


def tell(found: dict[str, Any]) -> list[str]:
    """One line."""
    us = found["us"]
    return [
        f"{BEST} best of {found['items']:,} x {found['size']}: {found['recall']:.1%} found by the index in "
        f"{us['index']:.0f} µs ({found['looked_up']} looked up and scored again), by all products {us['exact']:.0f} µs"
    ]
