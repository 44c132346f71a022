"""Which events answer a search."""

import pandas as pd

from components.common import columns as c
from components.common.searches import answered


def at(*minutes: float) -> "pd.Series[pd.Timestamp]":
    moments = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(list(minutes), unit="min")
    return pd.Series(moments).astype("datetime64[us, UTC]")


def test_what_follows_a_search_answers_it_until_the_next_one() -> None:
    searches = pd.DataFrame({c.USER: [7, 8, 7], c.QUERY: ["tea", "tea", "cup"], c.TIMESTAMP: at(0, 0, 10)})
    events = pd.DataFrame(
        [
            (7, 1, "click", 1), (7, 1, "purchase", 5), (7, 2, "view", 2),  # after tea
            (7, 3, "cart", 11),  # after cup
            (7, 4, "view", 41),  # more than half an hour after cup
            (7, 5, "click", -1), (9, 6, "purchase", 3), (8, 7, "rating", 1),  # before, another user, says nothing
        ],
        columns=[c.USER, c.ITEM, c.EVENT, "minute"],
    )  # fmt: skip
    found = answered(searches, events.assign(**{c.TIMESTAMP: at(*events["minute"])}))
    assert found.to_numpy().tolist() == [[0, 1, 3.0], [0, 2, 1.0], [2, 3, 2.0]]
