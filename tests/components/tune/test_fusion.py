"""Fusion is tuned, and told, on a real slice of a shop."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from components.common.errors import ConfigError
from components.common.prepared import Prepared
from components.common.settings import Settings
from components.fuse.config import EFFORTS
from components.fuse.lists import Lists
from components.fuse.run import Inputs, fit_engines, fit_sets, fuse
from components.fuse.spaces import SPACE
from components.ingest.run import ingest
from components.materialize.run import materialize
from components.prepare.run import prepare
from components.train_cf.run import train_cf
from components.tune.fusion import cross_fitted
from components.tune.run import Task, tune_fusion
from serving.blend import Fusion
from serving.members import kinds

FIXED = {"popularity": {}, "item_knn": {}, "als": {"embedding_size": 8, "epochs": 2}}


@pytest.fixture(scope="module")
def inputs(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """What the fuse stage reads, with three quickly trained members."""
    out = tmp_path_factory.mktemp("tune")
    ingest(str(small_shop), None, str(out / "store"), out / "tables")
    prepare(out / "tables", out / "prepared", "temporal", "fast", 0)
    materialize(out / "prepared", None, out / "features")
    members = FIXED | dict.fromkeys(set(kinds()) - set(FIXED), False)
    train_cf(out / "prepared", out / "cf", "fast", 0, json.dumps({"members": members}))
    return Inputs(out / "prepared", out / "embeddings", out / "features", (out / "cf",))


def run(inputs: Inputs, out: Path, settings: str) -> Fusion:
    fuse(inputs.prepared, inputs.embeddings, inputs.features, list(inputs.members), out, "fast", 0, settings)
    return Fusion.load(out / "fusion.json")


def test_what_was_found_is_written_with_what_the_members_were_told(inputs: Inputs, tmp_path: Path) -> None:
    known = ('{"members": {"als": {"reg": 3.0}}}', '{"members": {}}')
    said = tune_fusion(inputs, known, tmp_path, Task(trials=2, seconds=999))
    written = yaml.safe_load((tmp_path / "settings.yaml").read_text())
    assert written == json.loads(said)
    assert written["members"] == {"als": {"reg": 3.0}}
    found = json.loads((tmp_path / "trials.json").read_text())["fusion"]
    assert len(found["trials"]) == 2
    assert set(found["values"]) == set(SPACE)
    assert Settings.load(str(tmp_path / "settings.yaml")).fill_fusion(EFFORTS["fast"])


def test_a_list_is_judged_by_trees_that_have_not_seen_its_fold(inputs: Inputs) -> None:
    shop, config = Prepared.load(inputs.prepared), EFFORTS["fast"]
    sets = fit_sets(inputs, shop, fit_engines(inputs, shop), "next_basket", config, 0)
    lists = Lists.of(sets, config.rows, 0)
    one, two = (cross_fitted(sets, lists, config, 0) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert len(one) == sum(len(fit) for fit in sets)
    assert 0 < np.nanmean(one) < 1


def test_the_fuse_stage_does_what_it_is_told(inputs: Inputs, tmp_path: Path) -> None:
    fusion = run(inputs, tmp_path, '{"fusion": {"methods": ["softmax"], "users": 40, "folds": 2}}')
    assert {name for name in fusion.tasks["discovery"].methods if not name.startswith("single:")} == {"softmax"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"fusion": {"fold": 2}}', "settings: fusion: unknown name 'fold'. Did you mean 'folds'"),
        ('{"fusion": {"folds": 1}}', "settings: fusion: 'folds'"),
        ('{"fusion": {"shapes": {"stacker": {"round": 1}}}}', r"settings: fusion: .*round"),
    ],
)
def test_wrong_settings_are_refused(inputs: Inputs, tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        run(inputs, tmp_path, said)
    assert not list(tmp_path.iterdir())
