from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import planted_shop
from text_parts import real_encoder

from components.common import columns as c
from components.common.errors import ConfigError, ReleaseError
from components.encode.compose import DESCRIPTION_WORDS, compose
from components.encode.packages import DEFAULT, package_folder, write_encoder
from components.encode.run import encode
from serving.encoder import MODEL_FILE, TextEncoder


def row(title: str, category: str = "", brand: str = "", description: str = "") -> pd.DataFrame:
    return pd.DataFrame({c.TITLE: [title], c.CATEGORY: [category], c.BRAND: [brand], c.DESCRIPTION: [description]})


def test_compose_joins_title_leaf_brand_and_description() -> None:
    assert compose(row("Mug", "Home > Kitchen", "Acme", "Holds tea")) == ["Mug. Kitchen. Acme. Holds tea"]


def test_compose_does_not_say_a_thing_twice() -> None:
    assert compose(row("Acme kitchen mug", "Home > Kitchen", "Acme")) == ["Acme kitchen mug"]


def test_compose_leaves_out_what_is_empty_and_cuts_long_descriptions() -> None:
    assert compose(row("Mug")) == ["Mug"]
    text = compose(row("Mug", description="word " * 500))[0]
    assert text.count("word") == DESCRIPTION_WORDS


def test_the_stage_writes_vectors_in_catalogue_order_and_the_encoder(tmp_path: Path) -> None:
    shop = planted_shop()
    shop.save(tmp_path / "prepared")
    encode(tmp_path / "prepared", DEFAULT, tmp_path / "out")
    vectors = np.load(tmp_path / "out" / "text.npy", allow_pickle=False)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(shop.items), 384)
    loaded = TextEncoder.load(tmp_path / "out" / "encoder")
    one = loaded.encode(compose(shop.items.iloc[[7]]))
    assert one[0] @ vectors[7] > 0.999


def test_an_encoder_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    write_encoder(DEFAULT, tmp_path / "mine")
    write_encoder(str(tmp_path / "mine"), tmp_path / "out")
    for name in ("model.onnx", "tokenizer.json", "encoder.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "mine" / name).read_bytes()
    assert TextEncoder.load(tmp_path / "out").spec == real_encoder().spec


def test_a_damaged_encoder_folder_is_refused(tmp_path: Path) -> None:
    write_encoder(DEFAULT, tmp_path / "mine")
    (tmp_path / "mine" / MODEL_FILE).write_bytes(b"not a model")
    with pytest.raises(ReleaseError, match="SHA-256"):
        write_encoder(str(tmp_path / "mine"), tmp_path / "out")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_an_encoder_folder_that_lacks_a_file_is_refused(name: str, tmp_path: Path) -> None:
    write_encoder(DEFAULT, tmp_path / "mine")
    (tmp_path / "mine" / name).unlink()
    with pytest.raises(ConfigError, match=f"a folder with {name}"):
        write_encoder(str(tmp_path / "mine"), tmp_path / "out")


def test_an_unknown_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="minilm-int8"):
        write_encoder("bert-of-nowhere", tmp_path / "out")


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigError, match="no_such_encoder_package"):
        package_folder("no_such_encoder_package")
