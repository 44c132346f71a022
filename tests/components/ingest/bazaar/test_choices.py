"""A user chooses among a few items of a type that are there and popular; what a query names is preferred."""

import numpy as np
import pytest

from components.ingest.bazaar.choices import Shelves, blocks, choose_items, choose_types
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.world import World, make_world, type_shares

N = 4000


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(BazaarConfig(users=N, items=400, seed=2))


def test_blocks_cover_every_row_once() -> None:
    for n in (0, 1, 200_000, 200_001, 450_000):
        assert [row for part in blocks(n) for row in range(n)[part]] == list(range(n))


def test_noticed_items_are_of_the_type_and_the_first_is_there(world: World) -> None:
    types, days = np.arange(N) % 36, np.full(N, 100.0, np.float32)
    found, there = Shelves(world.items).noticed(types, days, np.random.default_rng(0))
    assert (world.items.type[found] == types[:, None]).all()
    assert (there == (world.items.created[found] <= 100)).all()
    assert there[:, 0].all()
    assert not there.all()


def test_items_are_noticed_as_often_as_they_are_popular(world: World) -> None:
    found, _ = Shelves(world.items).noticed(np.full(N, 7), np.full(N, 1e6, np.float32), np.random.default_rng(0), 20)
    of_type = np.flatnonzero(world.items.type == 7)
    share = np.bincount(found.ravel(), minlength=400)[of_type] / found.size
    popularity = world.items.popularity[of_type].astype(float)
    assert share == pytest.approx(popularity / popularity.sum(), abs=0.01)


def test_types_are_looked_for_as_taste_says(world: World) -> None:
    user = 17
    chosen = choose_types(world, np.full(50_000, user), np.random.default_rng(0))
    odds = np.exp(world.users.types[user].astype(float))
    assert np.bincount(chosen, minlength=36) / 50_000 == pytest.approx(odds / odds.sum(), abs=0.01)
    assert type_shares(world.users.types)[:, -1] == pytest.approx(1)


def test_what_the_query_names_is_chosen_where_it_is_noticed(world: World) -> None:
    users, types, days = np.arange(N), np.arange(N) % 36, np.full(N, 300.0, np.float32)
    rates = []
    for colour in (-1, 4):
        wish = np.tile(np.array([colour, -1, -1], np.int32), (N, 1))
        chosen = choose_items(world, Shelves(world.items), users, types, days, wish, np.random.default_rng(0))
        assert (world.items.created[chosen] <= 300).all()
        rates.append((world.items.colour[chosen] == 4).mean())
    assert rates[1] > 2 * rates[0]
