import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pandas as pd
import pytest
from feature_shop import DAY, MONDAY, at, planted_events, write_tables

from components.common import columns as c
from components.common import services
from components.common.errors import InputError
from components.common.files import read_json, write_json
from components.materialize.online import materialize_online
from components.materialize.repo import apply
from components.materialize.run import materialize
from components.prepare.run import prepare
from serving.catalogue import Catalogue
from serving.features import OnlineStates
from serving.recent import WATERMARK_FILE

LAST = MONDAY + int(126.5 * DAY)


def features_of(folder: Path, events: pd.DataFrame | None) -> Path:
    write_tables(folder / "tables", events, window_days=20)
    prepare(folder / "tables", folder / "prepared", "temporal", "fast", 0)
    materialize(folder / "prepared", None, folder / "features")
    return folder / "features"


def rows_of(store: Path) -> list[tuple[object, ...]]:
    """Everything the online store holds, but for when it was written."""
    with closing(connect(store / "online.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [
            (name, *row)
            for name in sorted(names)
            for row in connection.execute(
                f'SELECT entity_key, feature_name, value, event_ts FROM "{name}" ORDER BY entity_key, feature_name'
            )
        ]
    return rows


def online(store: Path, features: Path) -> OnlineStates:
    return OnlineStates(store, Catalogue.load(features.parent / "prepared" / "items.parquet"))


def test_the_last_state_of_every_user_goes_live_and_a_repeat_changes_nothing(tmp_path: Path) -> None:
    features = features_of(tmp_path, planted_events())
    assert materialize_online(features, tmp_path / "store") == LAST
    assert read_json(tmp_path / "store" / WATERMARK_FILE)["until"] == LAST
    states = online(tmp_path / "store", features).states(["a", "c", "nobody"], LAST)
    assert states.sizes.tolist() == [1, 1, 0]
    assert states.counts.tolist() == pytest.approx([13.0, 0.2])
    before = rows_of(tmp_path / "store")
    assert materialize_online(features, tmp_path / "store") == LAST
    assert rows_of(tmp_path / "store") == before


def test_only_what_is_newer_than_the_watermark_is_written(tmp_path: Path) -> None:
    features = features_of(tmp_path, planted_events())
    vocabulary = read_json(features / "features.json")["vocabulary"]
    (tmp_path / "store").mkdir()
    write_json(tmp_path / "store" / WATERMARK_FILE, {"until": LAST - DAY, "vocabulary": vocabulary})
    materialize_online(features, tmp_path / "store")
    assert online(tmp_path / "store", features).states(["a", "b"], LAST).sizes.tolist() == [0, 1]
    write_json(tmp_path / "store" / WATERMARK_FILE, {"until": LAST - DAY, "vocabulary": "of another catalogue"})
    materialize_online(features, tmp_path / "store")
    assert online(tmp_path / "store", features).states(["a", "b"], LAST).sizes.tolist() == [1, 1]


def test_rows_of_another_shop_with_later_events_give_way(tmp_path: Path) -> None:
    earlier = planted_events()
    later = earlier.copy()
    later[c.ITEM_ID], later[c.TIMESTAMP] = "y", earlier[c.TIMESTAMP] + pd.Timedelta(days=300)
    other, mine = features_of(tmp_path / "other", later), features_of(tmp_path / "mine", earlier)
    facts = read_json(other / "features.json")
    write_json(other / "features.json", facts | {"vocabulary": "of another catalogue"})
    materialize_online(other, tmp_path / "store")
    materialize_online(mine, tmp_path / "store")
    materialize_online(mine, tmp_path / "alone")
    assert rows_of(tmp_path / "store") == rows_of(tmp_path / "alone")
    assert read_json(tmp_path / "store" / WATERMARK_FILE)["until"] == LAST


def test_an_end_in_the_future_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    features = features_of(tmp_path, planted_events())
    tomorrow = int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1e6)
    with pytest.raises(InputError, match="lies in the future"):
        materialize_online(features, tmp_path / "store", until=tomorrow)
    assert not (tmp_path / "store").exists()


def test_an_older_row_never_replaces_a_newer_one(tmp_path: Path) -> None:
    features = features_of(tmp_path, planted_events())
    materialize_online(features, tmp_path / "store")
    feast = apply(tmp_path / "store")

    def push(item: str, moment: pd.Timestamp) -> list[str]:
        row = {c.USER_ID: "a", c.ITEM_IDS: [item], c.LAST_AT: [1], c.FIRST_AT: [1], c.COUNTS: [1.0], "events": 1}
        feast.push(services.USER_BEHAVIOUR_PUSH, pd.DataFrame([{**row, c.EVENT_TIMESTAMP: moment}]))
        (state,) = online(tmp_path / "store", features).rows(["a"])
        assert state is not None
        return list(state[c.ITEM_IDS])

    assert push("z", at(1)) == ["x"]
    assert push("z", at(200)) == ["z"]
    materialize_online(features, tmp_path / "store", until=MONDAY + 50 * DAY)  # a backfill of long ago
    materialize_online(features, tmp_path / "store")
    assert push("y", at(199)) == ["z"]
    assert read_json(tmp_path / "store" / WATERMARK_FILE)["until"] == LAST


def test_a_shop_without_events_still_has_its_items_online(tmp_path: Path) -> None:
    features = features_of(tmp_path, None)
    materialize_online(features, tmp_path / "store")
    assert online(tmp_path / "store", features).states(["a"], LAST).sizes.tolist() == [0]
    feast = apply(tmp_path / "store")
    answer = feast.get_online_features(
        features=feast.get_feature_service(services.ITEM_SERVICE), entity_rows=[{c.ITEM_ID: "x"}]
    ).to_dict()
    assert answer[c.TITLE] == ["xylophone"]


KILLED = """
import os, signal, sys
from pathlib import Path

import feast.infra.online_stores.sqlite as sqlite
from components.materialize import online


def countdown(steps, call):
    left = [steps]
    def step(*values, **named):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*values, **named)
    return step


features, base = Path(sys.argv[1]), Path(sys.argv[2])
points = [("file", n) for n in (0, 2)] + [("row", n) for n in (0, 1, 4, 6, 9, 13, 17)] + [("mark", 0)]
for number, (kind, steps) in enumerate(points):
    if os.fork() == 0:
        if kind == "file":
            os.replace = countdown(steps, os.replace)
        elif kind == "row":
            sqlite.serialize_entity_key = countdown(steps, sqlite.serialize_entity_key)
        else:
            online.write_json = countdown(0, online.write_json)
        online.materialize_online(features, base / f"store{number}")
        os._exit(0)
    status = os.wait()[1]
    sys.stdout.write("killed " if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else "finished ")
"""


def test_a_run_killed_anywhere_is_simply_repeated(tmp_path: Path) -> None:
    features = features_of(tmp_path, planted_events())
    command = [sys.executable, "-c", KILLED, str(features), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split() == ["killed"] * 10, done
    materialize_online(features, tmp_path / "whole")
    whole = rows_of(tmp_path / "whole")
    for number in range(10):
        store = tmp_path / f"store{number}"
        assert not (store / WATERMARK_FILE).exists()
        materialize_online(features, store)
        assert rows_of(store) == whole
        assert read_json(store / WATERMARK_FILE) == read_json(tmp_path / "whole" / WATERMARK_FILE)
