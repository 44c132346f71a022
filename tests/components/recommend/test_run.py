"""Lists for everybody are what the engine says to each one alone."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_release import live_store, run_folder

from components.common import columns as c
from components.common.errors import ConfigError, CuveeError, InputError, ReleaseError
from components.common.files import read_json
from components.materialize import everyone as materialize
from components.recommend.part import PartScorer, Wanted
from components.recommend.run import SUMMARY_FILE, recommend, recommend_from_store
from serving.current import current_release
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.instances import Instance


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_store(run_folder(tmp_path_factory))


@pytest.fixture(scope="module")
def states(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """States of everybody, seven users a part."""
    file = tmp_path_factory.mktemp("states") / "states.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(materialize, "PART_USERS", 7)
        assert materialize.everyone(store, file, "release") > 14
    return file


def test_every_user_gets_what_the_engine_says_to_that_user_alone(store: Path, states: Path, tmp_path: Path) -> None:
    summary = recommend_from_store(store, states, tmp_path / "lists", 5)
    lists = pq.read_table(tmp_path / "lists").to_pandas()
    release = current_release(store)
    assert release is not None
    engine = Engine.load(release)
    table = pq.read_table(states)
    users = table[c.USER_ID].to_pylist()
    rows = []
    for user in users:
        asked = [Instance(scenario="recommend", user_id=user, k=5)]
        (answer,) = engine.answer(asked, HistoricalStates.of(table, engine.catalogue), engine.as_of)
        rows += [(user, item["position"], item["item_id"], item["score"]) for item in answer["items"]]
    alone = pd.DataFrame(rows, columns=lists.columns).astype({"position": "int32"})
    assert len(alone) >= 4 * len(users)
    pd.testing.assert_frame_equal(lists, alone, rtol=1e-6, check_dtype=False)
    assert summary == read_json(tmp_path / "lists" / SUMMARY_FILE)
    told = {name: summary[name] for name in ("release", "as_of", "k", "users", "rows", "parts")}
    assert told == {
        "release": release.name, "as_of": engine.as_of, "k": 5, "users": len(users), "rows": len(lists),
        "parts": -(-len(users) // 7),
    }  # fmt: skip


def test_what_was_there_before_gives_way_and_a_repeat_is_the_same_bytes(
    store: Path, states: Path, tmp_path: Path
) -> None:
    recommend_from_store(store, states, tmp_path / "lists", 5)
    first = {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()}
    (tmp_path / "lists" / "part-000099.parquet").write_bytes(b"of another run")
    recommend_from_store(store, states, tmp_path / "lists", 5)
    assert {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()} == first


def test_half_an_answer_is_not_kept(store: Path, states: Path, tmp_path: Path) -> None:
    release = current_release(store)
    assert release is not None
    scorer = PartScorer(Wanted(release, states, tmp_path, 5, 0))
    scorer._engine.degraded = ("rules",)
    with pytest.raises(CuveeError, match="without rules"):
        scorer({"part": 0})
    assert not list(tmp_path.iterdir())


def test_nobody_known_gives_an_empty_table(store: Path, tmp_path: Path) -> None:
    assert materialize.everyone(store, tmp_path / "states.parquet", "1999-01-01") == 0
    summary = recommend_from_store(store, tmp_path / "states.parquet", tmp_path / "lists", 5)
    assert (summary["users"], summary["rows"]) == (0, 0)
    assert pq.read_table(tmp_path / "lists").num_rows == 0


def test_what_cannot_be_asked_is_refused(store: Path, states: Path, tmp_path: Path) -> None:
    release = current_release(store)
    assert release is not None
    for k, workers in ((0, 0), (101, 0), (10, -1)):
        with pytest.raises(ConfigError, match="expected k of 1 to 100 and 0 or more workers"):
            recommend(release, states, tmp_path / "lists", k, workers)
    table = pq.read_table(states)
    moved = table.set_column(1, c.EVENT_TIMESTAMP, table[c.EVENT_TIMESTAMP].cast("int64"))
    stamps = moved[c.EVENT_TIMESTAMP].to_pylist()
    mixed = moved.to_pandas().assign(**{c.EVENT_TIMESTAMP: [stamps[0] - 1, *stamps[1:]]})
    mixed.to_parquet(tmp_path / "mixed.parquet")
    with pytest.raises(ConfigError, match="2 moments"):
        recommend(release, tmp_path / "mixed.parquet", tmp_path / "lists")
    with pytest.raises(ReleaseError, match="no published release"):
        recommend_from_store(tmp_path, states, tmp_path / "lists", 5)
    with pytest.raises(InputError, match="no release with users"):
        materialize.everyone(tmp_path, tmp_path / "states.parquet", "release")
    with pytest.raises(InputError, match="published run"):
        materialize.everyone(tmp_path, tmp_path / "states.parquet", "2020-01-01")
    with pytest.raises(ConfigError, match="tomorrow"):
        materialize.everyone(store, tmp_path / "states.parquet", "tomorrow")
