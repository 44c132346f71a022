"""Distilling encoders into tables: a small BERT made here, and the packaged MiniLM on real titles."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import planted_shop
from small_bert import FILLERS, SYNONYMS, make_bert

from components.common import columns as c
from components.common.errors import ConfigError
from components.common.files import read_json, write_json
from components.common.prepared import Prepared
from components.encode.packages import DEFAULT
from components.encode.packages import write_encoder as write_packaged
from components.train_text.bert import write_encoder
from components.train_text.distil import DistilConfig, Distilled, _judged, distil
from serving.encoder import ENCODER_FILE, MODEL_FILE, TOKENIZER_FILE, TextEncoder
from serving.static_queries import QUERIES_FILE

WORDS = [*(word for pair in SYNONYMS for word in pair), *FILLERS]


def save_shop(folder: Path, titles: list[str], encoder: TextEncoder) -> None:
    """A prepared shop of items with these titles, and their vectors."""
    shop = planted_shop()
    items = pd.concat([shop.items.iloc[:1]] * len(titles), ignore_index=True)
    items = items.assign(**{c.ITEM_ID: [f"i{row}" for row in range(len(titles))], c.TITLE: titles})
    items[[c.CATEGORY, c.BRAND, c.DESCRIPTION]] = ""
    Prepared(shop.events, items, shop.users, shop.split, shop.shop).save(folder / "prepared")
    np.save(folder / "text.npy", encoder.encode(titles))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_encoder(str(make_bert(folder / "bert")), folder / "encoder")
    draw = np.random.default_rng(0)
    titles = [" ".join(draw.choice(WORDS, 3, replace=False)) for _ in range(300)]
    save_shop(folder, titles, TextEncoder.load(folder / "encoder"))
    return folder


def distilled(folder: Path, out: Path, **numbers: float) -> Distilled:
    config = DistilConfig(held_out=0.2, **numbers)
    return distil(folder / "prepared", folder / "encoder", folder / "text.npy", out, 3, config)


def test_texts_not_learned_from_lie_where_the_encoder_puts_them(small: Path, tmp_path: Path) -> None:
    told = distilled(small, tmp_path)
    assert told.judged > 50
    assert told.cosine > 0.95
    assert told.overlap > told.before + 0.05
    network, table = TextEncoder.load(small / "encoder"), TextEncoder.load(tmp_path)
    asked = ["left0 word3", "word3 left0"]
    assert ((network.encode_queries(asked) * table.encode_queries(asked)).sum(axis=1) > 0.9).all()
    np.testing.assert_array_equal(network.encode(asked), table.encode(asked))  # items keep the encoder's vectors


def test_what_is_written_is_the_encoder_and_one_file_more(small: Path, tmp_path: Path) -> None:
    distilled(small, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {ENCODER_FILE, MODEL_FILE, TOKENIZER_FILE, QUERIES_FILE}
    for name in (MODEL_FILE, TOKENIZER_FILE):
        assert (tmp_path / name).read_bytes() == (small / "encoder" / name).read_bytes()


def test_the_same_seed_gives_the_same_bytes_whatever_was_judged(small: Path, tmp_path: Path) -> None:
    distilled(small, tmp_path / "a")
    judged = pd.DataFrame({c.QUERY: ["left0"], c.ITEM_ID: ["i0"], c.GRADE: [3.0]})
    judged.to_parquet(small / "prepared" / "judgements.parquet", index=False)
    distilled(small, tmp_path / "b")
    assert (tmp_path / "a" / QUERIES_FILE).read_bytes() == (tmp_path / "b" / QUERIES_FILE).read_bytes()


def test_a_table_can_be_made_anew_where_it_lies(small: Path, tmp_path: Path) -> None:
    first = distilled(small, tmp_path)
    again = distil(small / "prepared", tmp_path, small / "text.npy", tmp_path, 3, DistilConfig(held_out=0.2))
    assert again == first


def test_too_few_texts_are_named(small: Path, tmp_path: Path) -> None:
    save_shop(tmp_path, ["left0 left1", "right0"], TextEncoder.load(small / "encoder"))
    with pytest.raises(ConfigError, match=r"found \d+ texts to learn from and 0 to judge by, expected at least 200"):
        distil(tmp_path / "prepared", small / "encoder", tmp_path / "text.npy", tmp_path / "out", 0)


def test_an_encoder_that_reads_chinese_keeps_its_network(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "encoder", tmp_path / "encoder")
    said = read_json(tmp_path / "encoder" / ENCODER_FILE)
    write_json(tmp_path / "encoder" / ENCODER_FILE, said | {"languages": ["en", "zh"]})
    with pytest.raises(ConfigError, match="reads Chinese, expected one that is asked in English"):
        distil(small / "prepared", tmp_path / "encoder", small / "text.npy", tmp_path / "out", 0)


def test_by_hand_what_is_found_first_is_compared() -> None:
    items = np.eye(20, dtype=np.float32)
    asked, told = np.zeros((1, 20), np.float32), np.zeros((1, 20), np.float32)
    asked[0, :10] = 10**-0.5
    told[0, 4:14] = 3  # six of ten are shared
    overlap, cosine = _judged(asked, told, items)
    assert overlap == pytest.approx(0.6)
    assert cosine == pytest.approx(0.6)


@pytest.mark.long
def test_minilm_on_real_titles(shared_data: Path, tmp_path: Path) -> None:
    products = pd.read_parquet(shared_data / "chorus_icecat_search" / "products.parquet", columns=["title"])
    titles = products["title"].dropna().astype(str).iloc[::30].tolist()
    write_packaged(DEFAULT, tmp_path / "encoder")
    save_shop(tmp_path, titles, TextEncoder.load(tmp_path / "encoder"))
    told = distilled(tmp_path, tmp_path / "out", most_texts=4_000, most_judged=300)
    assert told.overlap > told.before + 0.2
    assert told.cosine > 0.8
    table = TextEncoder.load(tmp_path / "out")
    asked, near, far = table.encode_queries(["puppy", "dog", "invoice"])  # words that the shop hardly uses
    assert asked @ near > asked @ far + 0.2
