from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from feature_shop import DAY, MONDAY, at, planted_events, write_journey, write_tables

from components.common import columns as c
from components.common import services
from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.common.prepared import Prepared
from components.materialize.behaviour import behaviour
from components.materialize.run import materialize
from components.materialize.states import STATES, historical, questions
from components.prepare.run import prepare
from serving.features import open_store


def shop_of(folder: Path, events: pd.DataFrame | None, protocol: str = "temporal") -> Prepared:
    write_tables(folder / "tables", events, window_days=20)
    prepare(folder / "tables", folder / "prepared", protocol, "fast", 0)
    return Prepared.load(folder / "prepared")


def states_of(folder: Path, cut: str) -> dict[str, dict[str, object]]:
    return {row[c.USER_ID]: row for row in pq.read_table(folder / "states" / f"{cut}.parquet").to_pylist()}


def test_a_state_holds_what_precedes_the_cut_and_nothing_after(tmp_path: Path) -> None:
    events = planted_events()
    start = MONDAY + int(126.5 * DAY) + 1 - 20 * DAY  # of the test window
    edge = pd.Timestamp(start, unit="us", tz="UTC")
    planted = [("a", "z", edge), ("b", "w", at(126.4)), ("d", "x", at(1)), ("d", "w", edge)]  # inside the window
    new = pd.DataFrame([(u, i, "purchase", t, 1.0, 1.0, None) for u, i, t in planted], columns=events.columns)
    shop = shop_of(tmp_path, pd.concat([events, new], ignore_index=True))
    assert materialize(tmp_path / "prepared", None, tmp_path / "out") == {"fit_2": 2, "fit_1": 2, "test": 3}
    states = states_of(tmp_path / "out", "test")
    assert shop.split.test.as_of == start
    assert states["a"][c.ITEM_IDS] == ["x"]
    assert states["b"][c.ITEM_IDS] == ["y"]
    assert states["d"][c.ITEM_IDS] == ["x"]  # whose very last event is the window's first moment
    assert states["a"][c.LAST_AT] == [MONDAY + 100 * DAY]
    assert states["a"][c.COUNTS] == [11.0]
    assert states["b"][c.LAST_AT] == [MONDAY + int(105.5 * DAY)]
    assert states["a"][c.EVENT_TIMESTAMP] == pd.Timestamp(start, unit="us", tz="UTC")
    earlier = states_of(tmp_path / "out", "fit_1")
    assert (earlier["a"][c.COUNTS], earlier["a"][c.LAST_AT]) == ([9.0], [MONDAY + 80 * DAY])


def test_a_user_without_a_past_has_an_empty_state(tmp_path: Path) -> None:
    events = planted_events()
    new = pd.DataFrame([("new", "w", "purchase", at(120), 1.0, 1.0, None)], columns=events.columns)
    shop_of(tmp_path, pd.concat([events, new], ignore_index=True))
    materialize(tmp_path / "prepared", None, tmp_path / "out")
    state = states_of(tmp_path / "out", "test")["new"]
    assert (state[c.ITEM_IDS], state[c.COUNTS], state[c.PROFILE]) == ([], [], "{}")
    assert pq.read_table(tmp_path / "out/states/test.parquet").schema.equals(STATES)


def test_leave_one_out_asks_each_user_just_before_the_event_held_out(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, planted_events(), "leave-one-out")
    materialize(tmp_path / "prepared", None, tmp_path / "out")
    for cut, known in (("fit", 11), ("test", 12)):
        state = states_of(tmp_path / "out", cut)["a"]
        assert state[c.COUNTS] == [float(known)]
        assert state[c.EVENT_TIMESTAMP] == at(known * 10) - pd.Timedelta(1, unit="us")
    assert set(states_of(tmp_path / "out", "test")) == {"a", "b"}
    assert len(questions(shop, shop.split.test)) == 2


def test_a_shop_without_events_has_empty_states_and_a_full_catalogue(tmp_path: Path) -> None:
    shop_of(tmp_path, None)
    assert materialize(tmp_path / "prepared", None, tmp_path / "out") == {"test": 0}
    assert states_of(tmp_path / "out", "test") == {}
    assert len(pq.read_table(tmp_path / "out/sources/item_attributes.parquet")) == 4


def test_feast_equals_a_summary_of_the_history_on_real_baskets(tmp_path: Path) -> None:
    write_journey(tmp_path / "tables", households=60)
    prepare(tmp_path / "tables", tmp_path / "prepared", "temporal", "full", 0)
    shop = Prepared.load(tmp_path / "prepared")
    materialize(tmp_path / "prepared", None, tmp_path / "out")
    for cut in shop.split.cuts:
        found = states_of(tmp_path / "out", cut.name)
        history = behaviour(shop.history(cut), shop.users[c.USER_ID], shop.items[c.ITEM_ID], shop.shop.event_weights)
        expected = {row[c.USER_ID]: row for row in history.to_pylist()}
        assert len(found) == shop.target(cut)[c.USER].nunique() > 30
        for user, row in found.items():
            for name in (c.ITEM_IDS, c.LAST_AT, c.FIRST_AT, c.COUNTS):
                assert row[name] == expected.get(user, {name: []})[name], (cut.name, user, name)


def test_snapshots_are_unique_per_user_and_time_and_statistics_are_as_of_the_cut(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, planted_events())
    embeddings = tmp_path / "embeddings"
    (embeddings / "encoder").mkdir(parents=True)
    np.save(embeddings / "text.npy", np.eye(4, 3, dtype=np.float32))
    write_json(embeddings / "encoder" / "encoder.json", {"name": "tiny", "version": "2"})
    materialize(tmp_path / "prepared", embeddings, tmp_path / "out")
    sources = {path.stem: pd.read_parquet(path) for path in (tmp_path / "out" / "sources").glob("*.parquet")}
    assert not sources[services.USER_BEHAVIOUR].duplicated([c.USER_ID, c.EVENT_TIMESTAMP]).any()
    assert (sources[services.USER_BEHAVIOUR][c.USER_ID] == "c").sum() == 1  # no news between the cuts: one row
    x = sources[services.ITEM_STATISTICS].query("item_id == 'x'").sort_values(c.EVENT_TIMESTAMP)
    assert x["item_events"].tolist() == [7, 9, 11, 13]
    assert x["events_28d"].tolist() == [3] * 4
    assert x["buyers"].tolist() == [1] * 4
    assert x["mean_price"].tolist() == [2.0] * 4
    vector = sources[services.ITEM_TEXT_EMBEDDING].iloc[1]
    assert (vector[c.EMBEDDING].tolist(), vector["encoder"]) == ([0.0, 1.0, 0.0], "tiny 2")
    assert read_json(tmp_path / "out" / "features.json")["last_event"] == shop.split.last_event


def test_what_items_look_like_is_asked_of_feast_with_its_encoder(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, planted_events())
    embeddings = tmp_path / "embeddings"
    embeddings.mkdir()
    looks = np.eye(4, 3, dtype=np.float32)
    looks[2] = np.nan  # item y has no photo that could be read
    np.save(embeddings / "image.npy", looks)
    write_json(embeddings / "media.json", {"image": {"encoder": "eye 7"}})
    materialize(tmp_path / "prepared", embeddings, tmp_path / "out")
    first = pd.Timestamp(shop.events[c.TIMESTAMP].min())
    asked = [("x", first), ("y", first), ("x", first - pd.Timedelta(1, unit="D"))]
    answer = open_store(tmp_path / "out").get_historical_features(
        entity_df=pd.DataFrame(asked, columns=[c.ITEM_ID, c.EVENT_TIMESTAMP]),
        features=[f"{services.ITEM_IMAGE_EMBEDDING}:{name}" for name in (c.EMBEDDING, "encoder")],
    )
    rows = answer.to_df().sort_values([c.ITEM_ID, c.EVENT_TIMESTAMP])
    assert rows["encoder"].fillna("").tolist() == ["", "eye 7", ""]  # x before the shop's first event, x, y
    assert rows[c.EMBEDDING].iloc[1].tolist() == [0.0, 1.0, 0.0]
    sounds = pd.read_parquet(tmp_path / "out" / "sources" / f"{services.ITEM_AUDIO_EMBEDDING}.parquet")
    assert len(sounds) == 0


def test_a_row_that_feast_loses_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop_of(tmp_path, planted_events())
    materialize(tmp_path / "prepared", None, tmp_path / "out")
    feast = open_store(tmp_path / "out")
    answer = feast.get_historical_features
    asked = pd.DataFrame({c.USER_ID: ["a", "b"], c.EVENT_TIMESTAMP: [MONDAY, MONDAY]})
    assert len(historical(feast, asked, before=False)) == 2
    monkeypatch.setattr(feast, "get_historical_features", lambda entity_df, features: answer(entity_df[:1], features))
    with pytest.raises(CuveeError, match="Feast answered 1 point-in-time rows; expected one for each of 2 users"):
        historical(feast, asked, before=False)
