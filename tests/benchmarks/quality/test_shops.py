import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality.shops import Case, earlier, known, of_users, tables, without_past
from components.common.errors import ConfigError
from components.common.moments import microseconds
from components.prepare.split import window_length

DAYS = 260


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """A shop in which user `u<n>` buys once a day from day 2 n on."""
    folder = tmp_path / "checked"
    folder.mkdir()
    rows = [(f"u{user}", f"i{day % 7}", day) for user in range(100) for day in range(2 * user, DAYS)]
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "day"])
    events["timestamp"] = pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(events.pop("day"), unit="D")
    events.assign(event="purchase").to_parquet(folder / "events.parquet", index=False)
    pd.DataFrame({"user_id": [f"u{user}" for user in range(120)]}).to_parquet(folder / "users.parquet", index=False)
    pd.DataFrame({"item_id": ["i0"], "title": ["bread"]}).to_parquet(folder / "items.parquet", index=False)
    (folder / "shop.json").write_text(json.dumps({"task": "next_basket"}))
    return folder


def test_windows_are_disjoint_and_of_one_length(checked: Path, tmp_path: Path) -> None:
    folders = [earlier(checked, tmp_path / f"back_{back}", back) for back in range(3)]
    times = [microseconds(pd.read_parquet(folder / "events.parquet")["timestamp"]) for folder in folders]
    days = [json.loads((folder / "shop.json").read_text())["window_days"] for folder in folders]
    assert len(set(days)) == 1
    assert days[0] == pytest.approx(DAYS / 13, abs=0.1)
    for newer, older in itertools.pairwise(times):
        length = window_length(int(newer.min()), int(newer.max()), days[0])
        start = newer.max() + 1 - length  # of the newer window
        assert older.max() < start
        assert start - older.max() <= 86_400_000_000


def test_nobody_is_known_before_their_first_event(checked: Path, tmp_path: Path) -> None:
    folder = earlier(checked, tmp_path / "back", 3)
    assert set(pd.read_parquet(folder / "users.parquet")["user_id"]) == set(
        pd.read_parquet(folder / "events.parquet")["user_id"]
    )
    assert json.loads((folder / "shop.json").read_text())["task"] == "next_basket"
    assert (folder / "items.parquet").exists()


def test_a_larger_share_holds_the_smaller_one(checked: Path, tmp_path: Path) -> None:
    users = [
        set(pd.read_parquet(of_users(checked, tmp_path / str(share), share, 5) / "events.parquet")["user_id"])
        for share in (0.1, 0.3, 1.0)
    ]
    assert [len(one) for one in users] == [10, 30, 100]
    assert users[0] < users[1] < users[2]
    other = pd.read_parquet(of_users(checked, tmp_path / "other", 0.1, 6) / "events.parquet")["user_id"]
    assert set(other) != users[0]


def test_kept_users_keep_all_their_events(checked: Path, tmp_path: Path) -> None:
    events = pd.read_parquet(of_users(checked, tmp_path / "share", 0.2, 0) / "events.parquet")
    sizes = pd.read_parquet(checked / "events.parquet").groupby("user_id").size()
    assert events.groupby("user_id").size().to_dict() == sizes[np.unique(events["user_id"])].to_dict()


def test_a_case_that_nobody_knows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="expected journey, journey_newcomers, sports, office, industrial"):
        known("toys")
    monkeypatch.delenv("CUVEE_TEST_DATA", raising=False)
    for name in ("sports", "office"):
        with pytest.raises(ConfigError, match="CUVEE_TEST_DATA"):
            known(name)
    assert known("journey").windows == 3


def test_newcomers_have_no_past_and_the_others_all_of_theirs(checked: Path, tmp_path: Path) -> None:
    then = earlier(checked, tmp_path / "then", 1)
    found = pd.read_parquet(without_past(then, tmp_path / "new", 0.3, 0) / "events.parquet")
    whole = pd.read_parquet(then / "events.parquet")
    start = whole["timestamp"].max() - pd.Timedelta(days=json.loads((then / "shop.json").read_text())["window_days"])
    before, first = (events[events["timestamp"] <= start].groupby("user_id").size() for events in (whole, found))
    assert before.drop(first.index).size == round(0.3 * whole["user_id"].nunique())
    assert first.to_dict() == before[first.index].to_dict()
    pd.testing.assert_frame_equal(
        *(events[events["timestamp"] > start].reset_index(drop=True) for events in (whole, found))
    )


def test_of_a_users_histories_the_longest_is_taken(tmp_path: Path) -> None:
    rows = {"valid": [("a", [1, 2], 3), ("b", [5], 6)], "test": [("a", [1, 2, 3], 4)]}
    for part, content in rows.items():
        frame = pd.DataFrame(content, columns=["user_id", "history_item_id", "item_id"])
        frame.to_parquet(tmp_path / f"Toys.{part}.parquet")
    items = pd.DataFrame({"item_id": range(1, 7), "title": "t", "description": None, "brand": "b", "categories": ""})
    items.to_parquet(tmp_path / "Toys.items.parquet")
    folder = tables(Case(name="toys", source=f"histories:{tmp_path / 'Toys'}", protocol="leave-one-out"), tmp_path)
    events = pd.read_parquet(Path(folder) / "events.parquet")
    assert events.groupby("user_id")["item_id"].apply(list).to_dict() == {"a": ["1", "2", "3", "4"], "b": ["5", "6"]}
    assert pd.read_parquet(Path(folder) / "items.parquet")["description"].tolist() == [""] * 6


def test_sequences_are_converted_once(shared_data: Path, tmp_path: Path) -> None:
    case = Case(name="sports", source=f"amazon:{shared_data / 'amazon_sports_seq'}", protocol="leave-one-out")
    folder = Path(tables(case, tmp_path))
    written = (folder / "events.parquet").stat().st_mtime_ns
    assert (folder / "shop.yaml").exists()
    assert tables(case, tmp_path) == str(folder)
    assert (folder / "events.parquet").stat().st_mtime_ns == written
