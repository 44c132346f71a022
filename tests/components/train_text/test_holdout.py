import numpy as np
import pytest
from member_contract import COLD, START, USERS, group_of, planted_shop

from components.common import columns as c
from components.common.moments import DAY
from components.common.prepared import Prepared, visit_items
from components.train_text.holdout import divide, hold_out, popularity
from serving.states import UserStates


@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
def test_nothing_of_what_the_cut_hides_is_known(protocol: str) -> None:
    shop = planted_shop(protocol=protocol)
    for cut in shop.split.cuts:
        known, later = divide(shop, cut)
        train = shop.train(cut)
        assert sorted([*known.index, *later.index]) == sorted(train.index)
        assert known.groupby(c.USER)[c.TIMESTAMP].max().lt(later.groupby(c.USER)[c.TIMESTAMP].min()).all()


def test_held_out_items_are_new_to_the_user() -> None:
    shop = planted_shop(protocol="leave-one-out")
    held = hold_out(shop, shop.split.test, seed=0)
    assert held is not None
    rows, items = np.divmod(held.relevant, len(shop.items))
    seen = set(zip(held.states.row_of.tolist(), held.states.items.tolist(), strict=True))
    assert not seen & set(zip(rows.tolist(), items.tolist(), strict=True))
    assert held.counts.sum() == len(held.relevant)


def test_ndcg_of_a_perfect_and_of_a_useless_ranking() -> None:
    shop = planted_shop(protocol="leave-one-out")
    held = hold_out(shop, shop.split.test, seed=0)
    assert held is not None
    rows, items = np.divmod(held.relevant, len(shop.items))
    perfect = np.zeros((len(held.states), len(shop.items)), dtype=np.float32)
    perfect[rows, items] = 1
    assert held.ndcg(perfect) == 1
    assert held.ndcg(np.full_like(perfect, np.nan)) == 0


def test_the_number_of_users_is_bounded_and_drawn_by_seed() -> None:
    shop = planted_shop(protocol="leave-one-out")
    drawn = [hold_out(shop, shop.split.test, seed=seed, most_users=5) for seed in (1, 1, 2)]
    keys = [held.relevant.tolist() for held in drawn if held is not None]
    assert all(held is not None and len(held.states) == 5 for held in drawn)
    assert keys[0] == keys[1] != keys[2]


def test_without_events_there_is_no_holdout() -> None:
    shop = planted_shop()
    empty = Prepared(shop.events.iloc[:0], shop.items, shop.users, shop.split, shop.shop)
    assert hold_out(empty, shop.split.test, seed=0) is None


def test_popularity_counts_users_and_halves_every_28_days() -> None:
    shop = planted_shop(protocol="leave-one-out")
    plain = popularity(shop.events, COLD + 1, clock=False)
    assert plain.sum() == len(shop.events.drop_duplicates([c.USER, c.ITEM]))
    two = shop.events.iloc[:2].copy()
    two[c.TIMESTAMP] = [two[c.TIMESTAMP].iloc[0], two[c.TIMESTAMP].iloc[0] + np.timedelta64(28, "D")]
    two[c.ITEM] = np.array([3, 4], dtype=np.int32)
    np.testing.assert_allclose(popularity(two, 6, clock=True), [0, 0, 0, 0.5, 1, 0])


def test_states_hold_each_users_items_oldest_first() -> None:
    shop = planted_shop()
    visits = visit_items(shop.events, shop.shop)
    states = UserStates.from_visits(visits, np.array([0, 4, USERS + 3]), START + 100 * DAY)
    assert states.sizes.tolist() == [5, 5, 0]
    assert (group_of(states.items[states.row_of == 1]) == 4 % 3).all()
    assert (np.diff(states.last_at[states.row_of == 0]) >= 0).all()
    assert states.counts.max() == 2  # one item was met in two visits
    assert states.age_days.min() >= 0
