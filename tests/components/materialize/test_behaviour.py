from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common import columns as c
from components.materialize import behaviour as module
from components.materialize.behaviour import BEHAVIOUR, behaviour

WEIGHTS = {"view": 0.25, "purchase": 1.0}
USERS, ITEMS = pd.Series(["ann", "bob", "cy"]), pd.Series(["p", "q", "r", "s"])


def events(rows: Sequence[tuple[int, int, str, int]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=[c.USER, c.ITEM, c.EVENT, c.TIMESTAMP])
    stamps = pd.to_datetime(table[c.TIMESTAMP], unit="us", utc=True).dt.as_unit("us")
    return table.assign(**{c.TIMESTAMP: stamps}).astype({c.USER: "int32", c.ITEM: "int32"})


def test_one_row_per_user_with_their_items_oldest_first() -> None:
    rows = behaviour(
        events(
            [
                (0, 1, "view", 10),
                (0, 1, "purchase", 10),  # the same visit: counts once, as a purchase
                (0, 0, "purchase", 10),
                (0, 2, "view", 5),
                (0, 1, "view", 30),
                (2, 3, "share", 7),  # a kind without a weight
            ]
        ),
        USERS,
        ITEMS,
        WEIGHTS,
    )
    assert rows.schema == BEHAVIOUR
    first, second = rows.to_pylist()
    assert first[c.ITEM_IDS] == ["r", "p", "q"]
    assert first[c.LAST_AT] == [5, 10, 30]
    assert first[c.FIRST_AT] == [5, 10, 10]
    assert first[c.COUNTS] == [0.25, 1.0, 1.25]
    assert (first[c.USER_ID], first["events"], first[c.EVENT_TIMESTAMP]) == (
        "ann",
        5,
        pd.Timestamp(30, unit="us", tz="UTC"),
    )
    assert (second[c.USER_ID], second[c.ITEM_IDS], second[c.COUNTS]) == ("cy", ["s"], [1.0])


def test_no_events_are_no_rows() -> None:
    assert behaviour(events([(0, 0, "view", 1)]).iloc[:0], USERS, ITEMS, WEIGHTS) == BEHAVIOUR.empty_table()


def test_only_the_latest_items_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ITEMS", 2)
    table = events([(0, item, "view", 10 - item) for item in range(4)] + [(1, 0, "view", 1)])
    rows = behaviour(table, USERS, ITEMS, WEIGHTS).to_pylist()
    assert [row[c.ITEM_IDS] for row in rows] == [["q", "p"], ["p"]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(["view", "purchase"]), st.integers(0, 5)),
        min_size=1,
        max_size=40,
    )
)
def test_equals_a_loop_over_users_and_items(rows: list[tuple[int, int, str, int]]) -> None:
    answer = {row[c.USER_ID]: row for row in behaviour(events(rows), USERS, ITEMS, WEIGHTS).to_pylist()}
    assert set(answer) == {USERS[user] for user, *_ in rows}
    for user in {row[0] for row in rows}:
        expected = {}
        for item in {row[1] for row in rows if row[0] == user}:
            own = [row for row in rows if row[:2] == (user, item)]
            visits = {time: max(WEIGHTS[kind] for _, _, kind, at in own if at == time) for *_, time in own}
            expected[ITEMS[item]] = (max(visits), min(visits), sum(visits.values()))
        row = answer[USERS[user]]
        found = dict(
            zip(row[c.ITEM_IDS], zip(row[c.LAST_AT], row[c.FIRST_AT], row[c.COUNTS], strict=True), strict=True)
        )
        assert found == expected
        assert row[c.LAST_AT] == sorted(row[c.LAST_AT])
        assert row[c.COUNTS] == np.float32(row[c.COUNTS]).tolist()
