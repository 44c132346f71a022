"""How users choose: a type by taste, a few items of it that they notice, the best of these in their eyes."""

import numpy as np

from components.ingest.bazaar.world import Codes, Items, World, type_shares
from serving.arrays import Bools, Floats, Ints

BLOCK = 200_000  # rows held at once
NOTICED = 12  # items compared before one is looked at
AMONG_NOTICED = np.float32(1.5)  # weight of the match against chance
FACET_ASKED = np.float32(3.0)  # a colour, pattern or brand that the query names
QUALITY_SEEN = np.float32(0.3)  # stars are shown beside the photo


class Shelves:
    """Items by type, the noticed ones drawn by popularity."""

    def __init__(self, items: Items) -> None:
        self.created = items.created
        self.order = np.argsort(items.type, kind="stable").astype(np.int32)
        weights = items.popularity[self.order].astype(np.float64)
        self._ends = np.cumsum(weights)
        bounds = np.searchsorted(items.type[self.order], np.arange(items.type.max() + 2))
        edges = np.concatenate([[0.0], self._ends])
        self._first, self._last = bounds[:-1], bounds[1:] - 1
        self._low, self._high = edges[bounds[:-1]], edges[bounds[1:]]

    def noticed(self, types: Codes, days: Floats, rng: np.random.Generator, count: int = NOTICED) -> tuple[Ints, Bools]:
        """Items of each of *types* (n,) that are noticed on *days* (n,), with repetition.

        Returns:
            (n, count) row numbers, and which of them are in the shop by then; the first always is.
        """
        low, high = self._low[types][:, None], self._high[types][:, None]
        drawn = low + rng.random((len(types), count)) * (high - low)
        places = np.searchsorted(self._ends, drawn, side="right")
        places = np.clip(places, self._first[types][:, None], self._last[types][:, None])  # rounding stays in the type
        found = self.order[places]
        there = self.created[found] <= days[:, None]
        found[:, 0] = np.where(there[:, 0], found[:, 0], self.order[self._first[types]])  # of every type one is old
        there[:, 0] = True
        return found, there


def choose_types(world: World, users: Codes, rng: np.random.Generator) -> Ints:
    """(n,) what each of *users* (n,) looks for, by taste."""
    first, last = (int(users.min()), int(users.max())) if len(users) else (0, 0)
    shares = type_shares(world.users.types[first : last + 1])
    drawn = rng.random(len(users), dtype=np.float32)
    chosen = [(shares[users[part] - first] < drawn[part, None]).sum(axis=1) for part in blocks(len(users))]
    return np.asarray(np.minimum(np.concatenate(chosen), shares.shape[1] - 1), dtype=np.int32)


def choose_items(
    world: World, shelves: Shelves, users: Codes, types: Codes, days: Floats, wish: Ints, rng: np.random.Generator
) -> Ints:
    """(n,) the item of *types* (n,) that each of *users* (n,) prefers among those noticed on *days* (n,).

    Args:
        world: the truth.
        shelves: its items by type.
        users: (n,) row numbers.
        types: (n,) what they look for.
        days: (n,) when.
        wish: (n, 3) colour, pattern and brand asked for beyond taste; -1: none.
        rng: chance.
    """
    chosen = [
        _preferred(world, shelves, users[part], types[part], days[part], wish[part], rng) for part in blocks(len(users))
    ]
    return np.concatenate(chosen)


def blocks(n: int) -> list[slice]:
    """Slices that cover *n* rows, so that memory does not grow with the shop; one at least."""
    return [slice(start, start + BLOCK) for start in range(0, max(n, 1), BLOCK)]


def _preferred(
    world: World, shelves: Shelves, users: Codes, types: Codes, days: Floats, wish: Ints, rng: np.random.Generator
) -> Ints:
    found, there = shelves.noticed(types, days, rng)
    items = world.items
    value = AMONG_NOTICED * world.affinity(users[:, None], found, of_type=False) + QUALITY_SEEN * items.quality[found]
    for column, facet in enumerate((items.colour, items.pattern, items.brand)):
        value += FACET_ASKED * (facet[found] == wish[:, column, None])
    value += np.asarray(rng.gumbel(size=found.shape), dtype=np.float32)
    best = np.argmax(np.where(there, value, -np.inf), axis=1)
    return np.asarray(found[np.arange(len(found)), best], dtype=np.int32)
