import json
from pathlib import Path

import numpy as np
import pytest
from member_contract import planted_shop
from text_parts import vectors_of

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.prepared import Prepared
from components.common.settings import Settings
from components.train_cf import tuning
from components.train_cf.recipes import RECIPES
from components.train_cf.run import train_cf
from components.train_cf.tuning import hold_out
from components.tune.inner import Inner
from components.tune.members import nested
from components.tune.run import Task, tune_members

NOTHING = '{"members": {}}'


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tuning, "FEWEST_USERS", 1)
    planted_shop().save(tmp_path / "prepared")
    return tmp_path / "prepared"


def test_every_member_of_the_family_is_searched_and_the_run_can_read_what_was_found(
    prepared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = tune_members("cf", prepared, tmp_path, out, Task(trials=3, seconds=999))
    trials = json.loads((out / "trials.json").read_text())
    assert set(trials) <= set(RECIPES)
    assert all(len(one["trials"]) == 3 for one in trials.values())
    better = {name for name, one in trials.items() if one["values"] != one["trials"][0]["values"]}
    assert set(Settings.load(said).members) == better
    train_cf(prepared, tmp_path / "members", "fast", 0, said)
    for name in better:
        numbers = json.loads((tmp_path / "members" / "fit_1" / name / "member.json").read_text())["config"]
        assert numbers | trials[name]["values"] == numbers
    html = (out / "report.html").read_text()
    assert all(f"<h2>{name}</h2>" in html for name in trials)
    assert "<svg" in html
    assert 'src="http' not in html


@pytest.mark.parametrize(
    ("family", "names"),
    [("text", {"attributes", "text", "tfidf"}), pytest.param("deep", {"sequence"}, marks=pytest.mark.long)],
)
def test_the_other_families_train_what_they_try(prepared: Path, tmp_path: Path, family: str, names: set[str]) -> None:
    np.save(tmp_path / "text.npy", vectors_of(Prepared.load(prepared).items))
    tune_members(family, prepared, tmp_path, tmp_path / "out", Task(trials=2, seconds=999))
    trials = json.loads((tmp_path / "out" / "trials.json").read_text())
    assert set(trials) == names
    for one in trials.values():
        assert all(0 < trial["score"] <= 1 for trial in one["trials"])
        assert one["trials"][0]["values"] != one["trials"][1]["values"]


def test_the_same_seed_finds_the_same_and_a_journal_goes_on(prepared: Path, tmp_path: Path) -> None:
    whole = tune_members("cf", prepared, tmp_path, tmp_path / "a", Task(trials=4, seconds=999, seed=1))
    task = Task(trials=2, seconds=999, seed=1, journal=str(tmp_path / "journal"))
    tune_members("cf", prepared, tmp_path, tmp_path / "b", task)
    again = tune_members("cf", prepared, tmp_path, tmp_path / "b", task.model_copy(update={"trials": 4}))
    assert whole == again
    assert {path.stem for path in (tmp_path / "journal").iterdir()} <= set(RECIPES)


def test_too_few_users_find_nothing(tmp_path: Path) -> None:
    planted_shop().save(tmp_path / "prepared")
    assert tune_members("cf", tmp_path / "prepared", tmp_path, tmp_path / "out", Task()) == NOTHING
    assert "nothing was tried" in (tmp_path / "out" / "report.html").read_text()


def test_a_shop_without_events_finds_nothing(tmp_path: Path) -> None:
    shop = planted_shop()
    Prepared(shop.events.iloc[:0], shop.items, shop.users, shop.split, shop.shop).save(tmp_path / "prepared")
    assert tune_members("cf", tmp_path / "prepared", tmp_path, tmp_path / "out", Task()) == NOTHING


def test_an_unknown_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found family 'cff', expected one of cf"):
        tune_members("cff", tmp_path, tmp_path, tmp_path, Task())


@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
def test_the_inner_shop_ends_before_what_it_is_judged_by(protocol: str) -> None:
    shop = planted_shop(protocol=protocol)
    cut = shop.split.trainings[0]
    inner = Inner.of(shop, "fast", seed=0)
    held = hold_out(shop, cut, "fast", seed=0)
    learned = inner.shop.train(inner.cut)
    pairs = set(zip(learned[c.USER], learned[c.ITEM], strict=True))
    rows, items = held.relevant.nonzero()
    users = np.unique(held.visits[c.USER].to_numpy())
    assert len(rows) > 0
    assert not pairs & {(users[row], item) for row, item in zip(rows, items, strict=True)}
    assert pairs == set(zip(held.visits[c.USER], held.visits[c.ITEM], strict=True))
    test = shop.target(shop.split.test)
    assert inner.shop.events[c.TIMESTAMP].max() <= test[c.TIMESTAMP].min()
    assert inner.shop.events.dtypes.equals(shop.events.dtypes)


def test_dotted_names_reach_inside() -> None:
    assert nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
