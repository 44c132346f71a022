import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common import columns as c
from components.common.files import write_json
from components.common.moments import DAY
from components.materialize.behaviour import behaviour
from serving import recent
from serving.catalogue import Catalogue
from serving.features import StatePort
from serving.recent import RECENT_FILE, WATERMARK_FILE, Event, FullError, Recent
from serving.states import UserStates

USERS, ITEMS = ["a", "b", "c"], ["p", "q", "r", "s"]
WEIGHTS = {"view": 0.25, "purchase": 1.0}
CATALOGUE = Catalogue(pd.DataFrame({c.ITEM_ID: ITEMS}))


class Known:
    """A port that knows what behaviour() makes of events."""

    def __init__(self, events: pd.DataFrame) -> None:
        table = behaviour(events, pd.Series(USERS), pd.Series(ITEMS), WEIGHTS)
        self._rows = {row[c.USER_ID]: row for row in table.to_pylist()}

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        assert as_of is not None
        rows = [self._rows.get(user) for user in user_ids]
        stamped = [None if row is None else {k: v for k, v in row.items() if k != c.EVENT_TIMESTAMP} for row in rows]
        return UserStates.from_rows(user_ids, stamped, np.full(len(rows), as_of), CATALOGUE)


def event(name: str, user: str = "a", item: str = "p", kind: str = "view", at: int = 10) -> Event:
    return Event(name, user, item, kind, at)


def frame(events: list[Event]) -> pd.DataFrame:
    rows = [(USERS.index(one.user), ITEMS.index(one.item), one.kind, one.at) for one in events]
    table = pd.DataFrame(rows, columns=[c.USER, c.ITEM, c.EVENT, c.TIMESTAMP])
    return table.assign(**{c.TIMESTAMP: pd.to_datetime(table[c.TIMESTAMP], unit="us", utc=True)})


@given(
    told=st.lists(
        st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS), st.sampled_from(list(WEIGHTS)), st.integers(0, 9)),
        max_size=30,
    ),
    mark=st.integers(-1, 9),
)
@settings(max_examples=40, deadline=None)
def test_features_until_the_watermark_and_events_after_it_are_the_features_of_all(
    told: list[tuple[str, str, str, int]], mark: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("store")
    write_json(store / WATERMARK_FILE, {"until": mark})
    events = [event(str(number), *one) for number, one in enumerate(told)]
    kept = Recent(store)
    kept.add(events)
    before = Known(frame([one for one in events if one.at <= mark]))
    found = kept.over(before, CATALOGUE, WEIGHTS).states(USERS, 10)
    whole = Known(frame(events)).states(USERS, 10)
    for name in ("indptr", "items", "last_at", "first_at", "counts", "as_of"):
        assert getattr(found, name).tolist() == getattr(whole, name).tolist(), name
        assert getattr(found, name).dtype == getattr(whole, name).dtype


def test_an_id_counts_once_whoever_sends_it_and_whenever(tmp_path: Path) -> None:
    first, second = Recent(tmp_path), Recent(tmp_path)
    assert first.add([event("1"), event("2", at=11), event("1", at=12)]) == 2
    assert second.add([event("1", at=13), event("3", at=14)]) == 1
    first.look()
    assert first.of("a") == second.of("a") == (("p", "view", 10), ("p", "view", 11), ("p", "view", 14))


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    Recent(tmp_path).add([event("1", item="q")])
    assert Recent(tmp_path).of("a") == (("q", "view", 10),)


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    writers = [Recent(tmp_path) for _ in range(4)]

    def write(number: int) -> None:
        for place in range(10):
            writers[number].add([event(f"{number}.{place}", at=10 * number + place)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in writers:
        one.look()
        assert [at for _, _, at in one.of("a")] == list(range(40))


def test_what_a_run_has_written_is_left_out_and_its_ids_are_remembered(tmp_path: Path) -> None:
    kept = Recent(tmp_path)
    kept.add([event("1"), event("2", at=20), event("3", user="b")])
    write_json(tmp_path / WATERMARK_FILE, {"until": 10})
    kept.look()
    assert (kept.of("a"), kept.of("b")) == ((("p", "view", 20),), ())
    assert kept.add([event("1", at=30)]) == 0


def test_an_unreadable_watermark_is_the_last_one(tmp_path: Path) -> None:
    write_json(tmp_path / WATERMARK_FILE, {"until": 10})
    kept = Recent(tmp_path)
    (tmp_path / WATERMARK_FILE).write_text("{")
    assert kept.watermark == 10


def test_the_newest_of_a_user_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_OF_USER", 2)
    kept = Recent(tmp_path)
    kept.add([event("1", at=3), event("2", at=1), event("3", at=2)])
    assert [at for _, _, at in kept.of("a")] == [2, 3]


def test_a_full_store_takes_no_more_until_a_run_took_some_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_EVENTS", 3)
    kept = Recent(tmp_path)
    kept.add([event(str(number), at=number * DAY) for number in range(3)])
    with pytest.raises(FullError, match="holds 3 events"):
        kept.add([event("new", at=9 * DAY)])
    write_json(tmp_path / WATERMARK_FILE, {"until": DAY})
    assert kept.add([event("new", at=9 * DAY)]) == 1
    assert [at // DAY for _, _, at in kept.of("a")] == [2, 9]


def test_without_a_table_that_can_be_read_nothing_is_recent(tmp_path: Path) -> None:
    (tmp_path / RECENT_FILE).write_bytes(b"garbage" * 1000)
    kept = Recent(tmp_path)
    assert kept.of("a") == ()
    port: StatePort = Known(frame([]))
    assert kept.over(port, CATALOGUE, WEIGHTS) is port
