import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feature_shop import DAY, MONDAY, at, planted_events, planted_items, write_journey, write_tables

from components.common import columns as c
from components.common.errors import ConfigError, DataError, InputError
from components.common.files import read_json
from components.common.prepared import Prepared
from components.prepare.run import prepare
from serving.normaliser import Normaliser

PROFILE = {"age": 30.0, "city": "Bonn", "likes": "['tea']"}


def prepared_from(folder: Path, events: pd.DataFrame | None, protocol: str = "temporal", **shop: Any) -> Prepared:
    write_tables(folder / "tables", events, **shop)
    prepare(folder / "tables", folder / "out", protocol, "fast", 7)
    return Prepared.load(folder / "out")


def test_the_planted_shop_is_split_by_time(tmp_path: Path) -> None:
    shop = prepared_from(tmp_path, planted_events(), window_days=20)
    last = MONDAY + int(126.5 * DAY)
    assert shop.split.last_event == last
    assert [(cut.name, cut.as_of, cut.until) for cut in shop.split.cuts] == [
        ("fit_2", last + 1 - 60 * DAY, last + 1 - 40 * DAY),
        ("fit_1", last + 1 - 40 * DAY, last + 1 - 20 * DAY),
        ("test", last + 1 - 20 * DAY, last + 1),
    ]
    assert shop.split.target_events == ("purchase",)
    assert shop.split.repeats
    test = shop.target(shop.split.test)
    assert [shop.users[c.USER_ID][user] for user in test[c.USER].unique()] == ["a", "b"]
    assert (shop.events[c.VISIT].max(), shop.events[c.FROM_END].min()) == (18, 0)


def test_users_items_and_searches_have_their_places(tmp_path: Path) -> None:
    write_tables(tmp_path / "tables", planted_events(), window_days=20)
    profile = {"age": [30.0, np.nan], "city": ["Bonn", None], "spent": [np.inf, np.nan], "likes": [["tea"], None]}
    pd.DataFrame({c.USER_ID: ["a", "q"], **profile}).to_parquet(tmp_path / "tables" / "users.parquet")
    (tmp_path / "tables" / "relations.parquet").write_bytes(b"as it is")
    counts = prepare(tmp_path / "tables", tmp_path / "out", "temporal", "fast", 0)
    shop = Prepared.load(tmp_path / "out")
    assert shop.users[c.USER_ID].tolist() == ["a", "b", "c", "q"]
    assert [json.loads(text) for text in shop.users[c.PROFILE]] == [PROFILE, {}, {}, {}]
    assert shop.items[c.ITEM_ID].tolist() == ["w", "x", "y", "z"]
    assert shop.items[c.TITLE].tolist() == ["wide hat", "xylophone", "yellow boots", "zebra"]
    searches = pd.read_parquet(tmp_path / "out" / "searches.parquet")
    assert searches.to_dict("records") == [{c.USER: 2, c.QUERY: "red shoes", c.TIMESTAMP: at(2)}]
    assert "search" not in set(shop.events[c.EVENT])
    assert (tmp_path / "out" / "relations.parquet").read_bytes() == b"as it is"
    assert counts == {"users": 4, "items": 4, "events": 33, "train": 18, "fit": 10, "test": 5}


def test_texts_of_ratings_and_reviews_are_kept_beside_the_events(tmp_path: Path) -> None:
    events = planted_events().sort_values([c.USER_ID, c.TIMESTAMP], kind="stable").reset_index(drop=True)
    bought = events.index[events[c.EVENT] == "purchase"][:4]
    events[c.TEXT] = None
    events.loc[bought, c.EVENT] = ["review", "rating", "review", "share"]
    events.loc[bought, c.TEXT] = ["很好", "bad", "  ", "look at this"]
    events.loc[bought, c.VALUE] = [5.0, 1.0, 3.0, np.nan]
    shop = prepared_from(tmp_path, events, window_days=20)
    assert shop.reviews is not None
    assert shop.reviews[c.TEXT].tolist() == ["很好", "bad"]
    assert shop.reviews[c.VALUE].tolist() == [5.0, 1.0]
    assert shop.items[c.ITEM_ID][shop.reviews[c.ITEM]].tolist() == events.loc[bought[:2], c.ITEM_ID].tolist()
    assert c.TEXT not in shop.events
    assert prepared_from(tmp_path / "silent", planted_events(), window_days=20).reviews is None


def test_what_the_windows_hold_changes_nothing_learned(tmp_path: Path) -> None:
    events = planted_events()
    late = events[c.TIMESTAMP] >= at(127.5 - 40)
    changed = events.assign(
        **{
            c.PRICE: events[c.PRICE].where(~late, 9999.0),
            c.VALUE: events[c.VALUE].where(~late, 5000.0),
        }
    )
    first = prepared_from(tmp_path / "1", events, window_days=20)
    second = prepared_from(tmp_path / "2", changed, window_days=20)
    assert first.items.equals(second.items)
    normaliser = Normaliser.load(tmp_path / "1/out/normaliser.json")
    assert normaliser == Normaliser.load(tmp_path / "2/out/normaliser.json")
    assert normaliser.count == 2  # x by its own price, y by the price paid; w was never met
    assert second.events[c.VALUE].max() == 2.0  # clipped at what training showed


@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
@pytest.mark.parametrize(("day", "catalogue"), [(1.0, ["w", "x", "y", "z"]), (126.4, ["x", "y", "z"])])
def test_the_catalogue_counts_users_before_the_test_only(
    tmp_path: Path, protocol: str, day: float, catalogue: list[str]
) -> None:
    events = planted_events()
    hat = pd.DataFrame([("b", "w", "purchase", at(day), 1.0, 1.0, None)], columns=events.columns)
    events = pd.concat([events, hat], ignore_index=True)
    shop = prepared_from(tmp_path, events, protocol, window_days=20, min_item_users=1)
    assert shop.items[c.ITEM_ID].tolist() == catalogue
    assert len(shop.events) == 33 + ("w" in catalogue)
    assert set(shop.items[c.ITEM_ID][shop.events[c.ITEM].unique()]) == set(catalogue)


def test_a_catalogue_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no item was met by 50 users before the test"):
        prepared_from(tmp_path, planted_events(), window_days=20, min_item_users=50)


def test_leave_one_out_holds_each_users_last_two_events(tmp_path: Path) -> None:
    shop = prepared_from(tmp_path, planted_events(), "leave-one-out")
    fit, test = shop.split.cuts
    last = shop.events.groupby(c.USER)[c.TIMESTAMP].max()
    target = shop.target(test).set_index(c.USER)[c.TIMESTAMP]
    assert target.to_dict() == {user: last[user] for user in (0, 1)}  # c has one event and only trains
    assert len(shop.history(test)) == len(shop.events) - 2
    assert len(shop.history(fit)) == len(shop.train(test)) == len(shop.events) - 4


def test_leave_one_out_tells_equal_times_apart_in_the_order_given(tmp_path: Path) -> None:
    rows = [("a", item, "view", at(1), None, None, None) for item in ("z", "x", "y", "x")]
    events = pd.DataFrame(rows, columns=planted_events().columns).astype({c.VALUE: "float64"})
    events.loc[3, c.VALUE] = 3.0  # else an exact duplicate
    shop = prepared_from(tmp_path, events, "leave-one-out")
    assert shop.items[c.ITEM_ID][shop.events[c.ITEM]].tolist() == ["z", "x", "y", "x"]
    assert (shop.events[c.TIMESTAMP].astype("int64") - MONDAY - DAY).tolist() == [0, 1, 2, 3]
    assert not shop.split.repeats  # they were one visit
    found = {done["correction"]: done for done in read_json(tmp_path / "out" / "cleaning.json")["corrections"]}
    assert found["equal_times"]["changed"] == 3


def test_a_shop_without_events_is_a_catalogue_with_an_empty_test(tmp_path: Path) -> None:
    shop = prepared_from(tmp_path, None)
    assert [cut.model_dump(exclude={"train_from_end"}) for cut in shop.split.cuts] == [
        {"name": "test", "role": "test", "members": "final", "as_of": None, "until": None, "hold_out": None}
    ]
    assert len(shop.items) == 4
    assert (len(shop.events), len(shop.target(shop.split.test)), len(shop.train(shop.split.test))) == (0, 0, 0)
    assert shop.items[c.PRICE_NORM].dtype == np.float32
    assert shop.items[c.PRICE_NORM].tolist() == [1.0, -1.0, 0.0, 0.0]
    assert list(shop.events.dtypes.astype(str)[[c.USER, c.ITEM, c.VISIT, c.FROM_END]]) == ["int32"] * 4


def test_unknown_words_and_ids_stop_the_run(tmp_path: Path) -> None:
    write_tables(tmp_path / "tables", planted_events())
    with pytest.raises(ConfigError, match="'protocol'"):
        prepare(tmp_path / "tables", tmp_path / "out", "random", "fast", 0)
    write_tables(tmp_path / "lost", planted_events(), planted_items().iloc[:2])
    with pytest.raises(DataError, match="column 'item_id': 20 rows — first: 'y'"):
        prepare(tmp_path / "lost", tmp_path / "out", "temporal", "fast", 0)
    assert not (tmp_path / "out").exists()


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("1", "2"):
        prepared_from(tmp_path / name, planted_events(), window_days=20)
    files = sorted(path.name for path in (tmp_path / "1" / "out").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "2" / "out").iterdir())
    for name in files:
        assert (tmp_path / "1" / "out" / name).read_bytes() == (tmp_path / "2" / "out" / name).read_bytes()


def test_real_baskets(tmp_path: Path) -> None:
    write_journey(tmp_path / "tables", households=60)
    counts = prepare(tmp_path / "tables", tmp_path / "out", "temporal", "full", 0)
    shop = Prepared.load(tmp_path / "out")
    assert [cut.name for cut in shop.split.cuts] == ["fit_3", "fit_2", "fit_1", "test"]
    assert shop.split.repeats
    assert 0 < counts["test"] < counts["fit"] < counts["train"] < counts["events"]
    before = shop.train(shop.split.test)
    assert before.groupby(c.ITEM)[c.USER].nunique().reindex(range(len(shop.items))).min() >= 3
    ordered = shop.events.sort_values([c.USER, c.TIMESTAMP], kind="stable")
    assert ordered.index.equals(shop.events.index)
    assert set(shop.events.groupby(c.USER)[c.FROM_END].min()) <= {0, 3}
    assert abs(float(shop.items[c.PRICE_NORM].mean())) < 0.1
