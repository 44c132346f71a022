import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.baskets import held_baskets


def taken(rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM])


def test_one_half_is_given_and_the_middle_one_too() -> None:
    """User 3's basket of three gives two; user 5's of two gives one; user 4 took single items only."""
    events = taken([(3, 0, 7), (3, 0, 8), (3, 0, 9), (3, 0, 9), (4, 0, 1), (4, 1, 2), (5, 2, 0), (5, 2, 6)])
    held = held_baskets(events, 10, 0)
    assert held.users.tolist() == [3, 5]
    assert [len(basket) for basket in held.given] == [2, 1]
    hidden = [set(held.items[held.rows == place].tolist()) for place in (0, 1)]
    assert [set(basket) | more for basket, more in zip(held.given, hidden, strict=True)] == [{7, 8, 9}, {0, 6}]
    assert not any(set(basket) & more for basket, more in zip(held.given, hidden, strict=True))


def test_a_user_gives_one_basket_whoever_shops_most() -> None:
    events = taken([(user, visit, item) for user in range(4) for visit in range(1 + 9 * user) for item in (0, 1)])
    held = held_baskets(events, 10, 0)
    assert held.users.tolist() == [0, 1, 2, 3]
    assert held_baskets(events, 2, 0).users.size == 2


def test_the_seed_decides() -> None:
    events = taken([(user, visit, 10 * visit + item) for user in range(9) for visit in range(5) for item in range(4)])
    first, again, other = held_baskets(events, 5, 0), held_baskets(events, 5, 0), held_baskets(events, 5, 1)
    assert first.given == again.given
    np.testing.assert_array_equal(first.items, again.items)
    assert first.given != other.given


def test_nobody_took_two_items_together() -> None:
    held = held_baskets(taken([(0, 0, 1), (1, 0, 2)]), 10, 0)
    assert len(held) == 0
    assert held.given == ()
