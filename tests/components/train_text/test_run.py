from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import START, planted_shop
from text_parts import vectors_of

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.files import read_json
from components.common.prepared import Cut, Prepared, Split
from components.train_text.run import train_text
from serving.catalogue import Catalogue
from serving.members.base import load_members

MEMBERS = ["attributes", "lexical", "named", "text", "tfidf"]


def save(shop: Prepared, folder: Path) -> None:
    shop.save(folder / "prepared")
    (folder / "embeddings").mkdir()
    np.save(folder / "embeddings" / "text.npy", vectors_of(shop.items))


@pytest.mark.parametrize(("protocol", "names"), [("temporal", {"fit_1", "final"}), ("leave-one-out", {"all"})])
def test_every_training_gets_its_members(tmp_path: Path, protocol: str, names: set[str]) -> None:
    shop = planted_shop(protocol=protocol)
    save(shop, tmp_path)
    train_text(tmp_path / "prepared", tmp_path / "embeddings", tmp_path / "out", "fast", 1)
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    for name in names:
        assert list(load_members(tmp_path / "out" / name, Catalogue(shop.items))) == MEMBERS


def test_a_catalogue_alone_gets_them_too(tmp_path: Path) -> None:
    shop = planted_shop()
    cut = Cut(name="test", role="test", members="final")
    split = Split(protocol="temporal", seed=0, cuts=(cut,), repeats=False, target_events=(), last_event=0)
    save(Prepared(shop.events.iloc[:0], shop.items, shop.users.iloc[:0], split, shop.shop), tmp_path)
    train_text(tmp_path / "prepared", tmp_path / "embeddings", tmp_path / "out", "full", 1)
    assert list(load_members(tmp_path / "out" / "final", Catalogue(shop.items))) == [*MEMBERS, "word2vec"]


def test_rated_reviews_give_their_items_a_sentiment(tmp_path: Path) -> None:
    shop = planted_shop()
    n = 400
    glad = np.arange(n) % 2 == 0
    reviews = {
        c.USER: np.arange(n) % 60,
        c.ITEM: np.arange(n) % 15,
        c.TIMESTAMP: pd.Timestamp(START, unit="us", tz="UTC").as_unit("us"),
        c.VALUE: np.where(glad, 5.0, 1.0),
        c.TEXT: np.where(glad, "good, 很好", "bad, 很差"),
        c.FROM_END: 5,
    }
    save(Prepared(shop.events, shop.items, shop.users, shop.split, shop.shop, pd.DataFrame(reviews)), tmp_path)
    said = '{"members": {"sentiment": {"least_of_each": 20}, "text": false}}'
    train_text(tmp_path / "prepared", tmp_path / "embeddings", tmp_path / "out", "fast", 1, said)
    for name in ("fit_1", "final"):
        assert "sentiment" in load_members(tmp_path / "out" / name, Catalogue(shop.items))


SAID = '{"members": {"tfidf": {"least_items": 3, "count_power": 0.25}, "text": false, "als": {"reg": 1}}}'


def test_settings_reach_the_members_and_leave_members_out(tmp_path: Path) -> None:
    shop = planted_shop()
    save(shop, tmp_path)
    train_text(tmp_path / "prepared", tmp_path / "embeddings", tmp_path / "out", "fast", 1, SAID)
    folder = tmp_path / "out" / "final"
    assert "text" not in load_members(folder, Catalogue(shop.items))
    assert read_json(folder / "tfidf" / "member.json")["count_power"] == 0.25


def test_wrong_settings_are_refused_before_training(tmp_path: Path) -> None:
    save(planted_shop(), tmp_path)
    said = '{"members": {"text": {"projection": {"epoch": 1}}}}'
    with pytest.raises(ConfigError, match=r"settings: members\.text: unknown name 'projection\.epoch'"):
        train_text(tmp_path / "prepared", tmp_path / "embeddings", tmp_path / "out", "fast", 1, said)
    assert not (tmp_path / "out").exists()
