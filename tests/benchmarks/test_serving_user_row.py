"""One user's row, timed: from stores that say the same, by the engine's own way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_release import live_store, run_folder

from benchmarks.serving import user_row
from components.deploy.publish import champion
from serving.catalogue import Catalogue
from serving.states import UserStates


def test_rows_are_timed_from_both_stores_and_do_not_differ(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    store = live_store(run_folder(tmp_path_factory))
    release = champion(store)
    assert release is not None
    found = user_row.user_rows(store, tmp_path, Catalogue.load(release / "catalogue.parquet"), asked=8)
    assert (found["users"], found["differ"]) == (8, 0)
    assert found["items"] >= 1
    for us in found["us"].values():
        assert all(0 < us[name][0] <= us[name][1] for name in ("row", "feast"))
    told = user_row.tell(found)
    assert told[0].startswith(
        f"one user's row ({found['items']:.0f} items met) from SQLite: {found['us']['SQLite']['row'][0]:.0f} µs"
    )
    assert told[2] == "0 of 8 users differ between SQLite and Valkey"


def test_one_bit_is_a_difference(tmp_path_factory: pytest.TempPathFactory) -> None:
    release = champion(live_store(run_folder(tmp_path_factory)))
    assert release is not None
    catalogue = Catalogue.load(release / "catalogue.parquet")
    row = {"item_ids": catalogue.ids[:2], "last_at": [1, 2], "first_at": [1, 1], "counts": [1.0, 2.0], "profile": "{}"}
    one = UserStates.from_rows(["u"], [row], np.array([9]), catalogue)
    assert user_row.same(one, replace(one))
    assert not user_row.same(one, replace(one, profiles=('{"age": 1}',)))
    assert not user_row.same(one, replace(one, counts=np.nextafter(one.counts, np.float32(9))))
