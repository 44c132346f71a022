import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feature_shop import planted_events, write_journey, write_tables

from components.common import columns as c
from components.common import services
from components.common.errors import ReleaseError
from components.common.moments import DAY
from components.common.prepared import Prepared
from components.materialize.online import materialize_online
from components.materialize.repo import apply
from components.materialize.run import materialize
from components.prepare.run import prepare
from serving.catalogue import Catalogue
from serving.features import HistoricalStates, OnlineStates
from serving.states import UserStates

ARRAYS = ("indptr", "items", "last_at", "first_at", "counts", "as_of")


def assert_equal(found: UserStates, expected: UserStates) -> None:
    assert found.user_ids == expected.user_ids
    assert found.profiles == expected.profiles
    for name in ARRAYS:
        left, right = getattr(found, name), getattr(expected, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared and materialised slice of Complete Journey, with more than 200 users in the test window."""
    folder = tmp_path_factory.mktemp("journey")
    write_journey(folder / "tables", households=300)
    prepare(folder / "tables", folder / "prepared", "temporal", "fast", 0)
    materialize(folder / "prepared", None, folder / "features")
    return folder


@pytest.fixture(scope="module")
def catalogue(journey: Path) -> Catalogue:
    return Catalogue.load(journey / "prepared" / "items.parquet")


def test_historical_states_equal_their_rows(journey: Path, catalogue: Catalogue) -> None:
    path = journey / "features" / "states" / "test.parquet"
    rows = pq.read_table(path).to_pylist()
    fewer = Catalogue(catalogue.items.iloc[::2])  # a release that lacks every other item
    for items in (catalogue, fewer):
        states = HistoricalStates.load(path, items)
        as_of = np.array([row[c.EVENT_TIMESTAMP].timestamp() * 1e6 for row in rows]).round().astype(np.int64)
        expected = UserStates.from_rows([row[c.USER_ID] for row in rows], rows, as_of, items)
        assert_equal(states.states(states.user_ids), expected)


def test_historical_users_come_in_the_order_asked_and_strangers_are_empty(journey: Path, catalogue: Catalogue) -> None:
    port = HistoricalStates.load(journey / "features" / "states" / "test.parquet", catalogue)
    last, first = port.user_ids[-1], port.user_ids[0]
    states = port.states([last, "stranger", first, last], as_of=5)
    assert states.user_ids == (last, "stranger", first, last)
    assert states.sizes[1] == 0
    assert states.sizes[0] == states.sizes[3] > 0
    assert states.as_of.tolist() == [5] * 4
    assert len(port.states([], as_of=5)) == 0


def test_online_equals_historical_for_200_users_at_the_cut_off(
    journey: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    shop = Prepared.load(journey / "prepared")
    as_of = shop.split.test.as_of
    assert as_of is not None
    rows = pq.read_table(journey / "features" / "states" / "test.parquet")
    frame = rows.to_pandas()
    scratch = apply(tmp_path)  # an online store as it would have stood at the cut-off
    scratch.write_to_online_store(services.USER_BEHAVIOUR, frame.assign(events=1).drop(columns=[c.PROFILE]))
    scratch.write_to_online_store(services.USER_PROFILE, frame[[c.USER_ID, c.EVENT_TIMESTAMP, c.PROFILE]])
    users = frame[c.USER_ID].tolist()[:200]
    assert len(users) == 200
    historical = HistoricalStates.load(journey / "features" / "states" / "test.parquet", catalogue).states(users, as_of)
    online = OnlineStates(tmp_path, catalogue)
    assert_equal(online.states(users, as_of), historical)
    assert len(historical.items) > 10_000
    profiles = [row[c.PROFILE] if row else None for row in online.rows(users)]
    assert profiles == frame[c.PROFILE].tolist()[:200]
    assert any(profile != "{}" for profile in profiles)


def test_online_materialised_until_the_cut_off_equals_historical(
    journey: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    as_of = Prepared.load(journey / "prepared").split.test.as_of
    assert as_of is not None
    materialize_online(journey / "features", tmp_path / "store", until=as_of - 1)
    historical = HistoricalStates.load(journey / "features" / "states" / "test.parquet", catalogue)
    online = OnlineStates(tmp_path / "store", catalogue)
    assert_equal(online.states(historical.user_ids, as_of), historical.states(historical.user_ids, as_of))


def planted_store(folder: Path) -> tuple[Path, Catalogue]:
    write_tables(folder / "tables", planted_events(), window_days=20)
    people = pd.DataFrame({c.USER_ID: ["a", "newcomer"], "plan": ["gold", "basic"]})
    people.to_parquet(folder / "tables" / "users.parquet", index=False)
    prepare(folder / "tables", folder / "prepared", "temporal", "fast", 0)
    materialize(folder / "prepared", None, folder / "features")
    materialize_online(folder / "features", folder / "store")
    return folder / "store", Catalogue.load(folder / "prepared" / "items.parquet")


def test_old_rows_count_as_missing_when_an_age_is_given(tmp_path: Path) -> None:
    store, catalogue = planted_store(tmp_path)
    port = OnlineStates(store, catalogue)
    as_of = int(port.states(["a"], 0).last_at.max()) + 10 * DAY
    np.testing.assert_allclose(port.ages(["a", "b", "stranger"], as_of), [10, 3.5, np.nan], rtol=1e-6)
    assert OnlineStates(store, catalogue, max_age_days=5).states(["a", "b"], as_of).sizes.tolist() == [0, 1]
    assert port.states([], as_of).sizes.tolist() == []


def test_a_user_without_behaviour_still_has_a_profile(tmp_path: Path) -> None:
    store, catalogue = planted_store(tmp_path)
    port = OnlineStates(store, catalogue)
    states = port.states(["newcomer", "a", "b", "stranger"], 0)
    assert states.sizes.tolist() == [0, 1, 1, 0]
    assert states.profiles == ('{"plan": "basic"}', '{"plan": "gold"}', "{}", "{}")
    assert np.isnan(port.ages(["newcomer"], 0)).all()


def test_a_store_without_online_rows_answers_empty_and_a_folder_without_a_store_says_so(tmp_path: Path) -> None:
    catalogue = Catalogue(pd.DataFrame({c.ITEM_ID: ["x"]}))
    apply(tmp_path / "store")
    port = OnlineStates(tmp_path / "store", catalogue)
    assert port.states(["a", "b"], 1).sizes.tolist() == [0, 0]
    assert np.isnan(port.ages(["a"], 1)).all()
    with pytest.raises(ReleaseError, match=r"no feature_store\.yaml"):
        OnlineStates(tmp_path, catalogue)


def test_the_store_may_be_moved(tmp_path: Path) -> None:
    store, catalogue = planted_store(tmp_path)
    store.rename(tmp_path / "elsewhere")
    assert OnlineStates(tmp_path / "elsewhere", catalogue).states(["a"], 1).sizes.tolist() == [1]


def test_null_lists_are_empty_states(tmp_path: Path) -> None:
    columns = {c.ITEM_IDS: pa.list_(pa.string()), c.LAST_AT: pa.list_(pa.int64()), c.FIRST_AT: pa.list_(pa.int64())}
    table = pa.table(
        {
            c.USER_ID: ["a", "b"],
            c.EVENT_TIMESTAMP: pa.array([3, 4]).cast(pa.timestamp("us", tz="UTC")),
            **{name: pa.array([None, ["x"] if "ids" in name else [1]], kind) for name, kind in columns.items()},
            c.COUNTS: pa.array([None, [1.0]], pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, tmp_path / "s.parquet")
    states = HistoricalStates.load(tmp_path / "s.parquet", Catalogue(pd.DataFrame({c.ITEM_ID: ["x"]})))
    assert states.states(["a", "b"]).sizes.tolist() == [0, 1]
    assert states.states(["a", "b"]).as_of.tolist() == [3, 4]


LIGHT = """
import sys
from pathlib import Path
from components.materialize.repo import apply
apply(Path(sys.argv[1]))
assert "feast" in sys.modules
assert "torch" not in sys.modules
import torch
sys.stdout.write(torch.__name__)
"""


def test_feast_in_a_pipeline_step_does_not_drag_torch_in_nor_keep_it_out(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT, str(tmp_path)], capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout) == (0, "torch"), done.stderr


LEAN = """
import sys
from serving import lean
lean.install()
from pathlib import Path
from serving.catalogue import Catalogue
from serving.features import OnlineStates
assert "feast" not in sys.modules
port = OnlineStates(Path(sys.argv[1]) / "store", Catalogue.load(Path(sys.argv[1]) / "prepared" / "items.parquet"))
sys.stdout.write(str(port.states(["a", "b", "c"], 1).sizes.tolist()))
heavy = {"torch", "tensorflow", "transformers", "kfp", "duckdb", "ibis", "dask", "feature_repo"} & set(sys.modules)
assert not heavy, heavy
"""


def test_online_states_need_neither_torch_nor_duckdb(tmp_path: Path) -> None:
    planted_store(tmp_path)
    done = subprocess.run([sys.executable, "-c", LEAN, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "[1, 1, 1]"), done.stderr
