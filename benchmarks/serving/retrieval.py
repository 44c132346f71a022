"""The hundred best of a member by its index: how many it finds, and what that takes beside all products.

And beside vectors in eight bits, which are exact, where the processor reads them fast: `serving.members.dense.INDEXED`
says from how many items on an index is less.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_shop import made_als, made_users
from components.common.errors import CuveeError
from components.package.index import BEST, index_of, questions
from serving import kernels
from serving.arrays import Floats, Ints, top_k
from serving.hidden import Hidden
from serving.members.codes import Coded, codes_of
from serving.members.dense import Near
from serving.queries import RECOMMEND, Queries

ITEMS, MEASURED, ASKED = (100_000, 200_000, 300_000), 200, 500  # users that the index is chosen by, and others who ask


def measure(_store: Path, _out: Path, sizes: Sequence[int] = ITEMS, asked: int = ASKED) -> dict[str, Any]:
    """What `measured` gives, by number of items."""
    return {"shops": {f"{n_items:,}": measured(n_items, asked) for n_items in sizes}}


def measured(n_items: int, asked: int, seed: int = 0) -> dict[str, Any]:
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

    items, bias = codes_of(space.vectors, space.place), space.added(biased)

    def coded(row: Floats) -> Ints:
        return Coded(items, row, bias, nothing).best(BEST)

    ways = {"index": near, "exact": exact} | ({"codes": coded} if kernels.scans else {})
    found: dict[str, list[Ints]] = {name: [] for name in ways}
    taken: dict[str, list[float]] = {name: [] for name in found}
    for number in range(len(vectors)):
        row = vectors[number : number + 1]
        for name, way in ways.items():
            started = time.perf_counter()
            found[name].append(way(row))
            taken[name].append((time.perf_counter() - started) * 1e6)
    shares = [np.isin(one, other).mean() for one, other in zip(found["exact"], found["index"], strict=True)]
    return {
        "size": int(space.vectors.shape[1]),
        "recall": float(np.mean(shares)),
        "looked_up": BEST + index.beyond,
        "us": {name: float(np.median(times)) for name, times in taken.items()},
    }


def tell(found: dict[str, Any]) -> list[str]:
    """A line for each number of items."""
    lines = []
    for items, one in found["shops"].items():
        us = one["us"]
        codes = f", by eight bits, exact, {us['codes']:.0f} µs" if "codes" in us else ""
        lines.append(
            f"{BEST} best of {items} x {one['size']}: {one['recall']:.1%} found by the index in {us['index']:.0f} µs "
            f"({one['looked_up']} looked up and scored again){codes}, by all products {us['exact']:.0f} µs"
        )
    return lines
