import json
import re
from pathlib import Path

import numpy as np
import pytest
from member_contract import planted_events, planted_shop, planted_states

from components.common.errors import ConfigError
from components.common.prepared import Prepared
from components.common.stage import PROGRESS_FILE
from components.train_cf import tuning
from components.train_cf.als import AlsConfig
from components.train_cf.run import train_cf
from serving.catalogue import Catalogue
from serving.members.base import load_members
from serving.queries import Queries

AT_FAST = {"popularity", "trend", "item_knn", "cooccurrence", "als", "linear"}  # where a visit is one item


@pytest.mark.parametrize(("protocol", "cuts"), [("temporal", {"fit_1", "final"}), ("leave-one-out", {"all"})])
def test_every_training_gets_every_member(tmp_path: Path, protocol: str, cuts: set[str]) -> None:
    prepared = planted_shop(protocol=protocol)
    prepared.save(tmp_path / "prepared")
    train_cf(tmp_path / "prepared", tmp_path / "out", "fast", seed=0)
    assert {path.name for path in (tmp_path / "out").iterdir()} == cuts
    expected = AT_FAST | ({"repurchase"} if prepared.split.repeats else set())
    for cut in prepared.split.trainings:
        members = load_members(tmp_path / "out" / cut.members, Catalogue(prepared.items))
        assert set(members) == expected
        states = planted_states(prepared, cut, range(6))
        for member in members.values():
            assert np.isfinite(member.score_all(Queries("recommend", states))).any()


def test_tuned_runs_are_bit_identical_and_say_how_long_they_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "FEWEST_USERS", 1)
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress"))
    planted_shop().save(tmp_path / "prepared")
    for name in ("one", "two"):
        train_cf(tmp_path / "prepared", tmp_path / name, "fast", seed=5)
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    facts = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    assert {fact["work"] for fact in facts if fact["kind"] == "member"} == {"tune", "fit_1", "final"}
    assert [fact for fact in facts if fact["kind"] == "progress"][-1]["done"] == facts[-1]["total"]


def test_a_shop_without_events_gets_no_members(tmp_path: Path) -> None:
    shop = planted_shop()
    Prepared(planted_events(0).iloc[:0], shop.items, shop.users.iloc[:0], shop.split, shop.shop).save(tmp_path / "shop")
    train_cf(tmp_path / "shop", tmp_path / "out", "fast", seed=0)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_single_event_is_enough(tmp_path: Path) -> None:
    shop = planted_shop()
    Prepared(shop.events.iloc[:1], shop.items, shop.users, shop.split, shop.shop).save(tmp_path / "shop")
    train_cf(tmp_path / "shop", tmp_path / "out", "fast", seed=0)
    members = load_members(tmp_path / "out" / "final", Catalogue(shop.items))
    states = planted_states(shop, shop.split.test, [0, 1])
    for member in members.values():
        assert not np.isinf(member.score_all(Queries("recommend", states))).any()


def test_an_unknown_effort_is_refused(tmp_path: Path) -> None:
    planted_shop().save(tmp_path / "shop")
    with pytest.raises(ConfigError, match="found 'heroic', expected one of fast, full"):
        train_cf(tmp_path / "shop", tmp_path / "out", "heroic", seed=0)


SAID = '{"members": {"als": {"reg": 7.5, "embedding_size": 12}, "repurchase": {"reg": 0.125}, "item_knn": false}}'


def test_settings_reach_the_members_and_leave_members_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "FEWEST_USERS", 1)  # the others search
    shop = planted_shop()
    shop.save(tmp_path / "shop")
    train_cf(tmp_path / "shop", tmp_path / "out", "fast", 0, SAID)
    for cut in shop.split.trainings:
        folder = tmp_path / "out" / cut.members
        als = json.loads((folder / "als" / "member.json").read_text())["config"]
        usual = AlsConfig(alpha=1.0, reg=7.5, embedding_size=12)  # of a shop with a clock, not searched
        assert als == usual.model_dump(mode="json")
        assert json.loads((folder / "repurchase" / "member.json").read_text())["config"]["reg"] == 0.125
        assert not (folder / "item_knn").exists()
        assert (folder / "cooccurrence").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"members": {"als": {"regg": 1}}}', "settings: members.als: unknown name 'regg'. Did you mean 'reg'?"),
        ('{"members": {"repurchase": {"reg": -1}}}', "settings: members.repurchase: 'reg'"),
        ('{"members": {"alls": {"reg": 1}}}', "settings: members: unknown 'alls'. Did you mean 'als'?"),
    ],
)
def test_wrong_settings_are_refused_before_training(tmp_path: Path, said: str, told: str) -> None:
    planted_shop().save(tmp_path / "shop")
    with pytest.raises(ConfigError, match=re.escape(told)):
        train_cf(tmp_path / "shop", tmp_path / "out", "fast", 0, said)
    assert not list((tmp_path / "out").glob("*/*"))
