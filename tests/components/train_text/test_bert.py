from pathlib import Path

import numpy as np
import pytest
import torch
from text_parts import real_encoder
from tokenizers import Tokenizer
from torch.nn import functional

from components.common.errors import ConfigError
from components.train_text.bert import DEFAULT_PACKAGE, load_bert, locate, write_encoder
from serving.arrays import Floats
from serving.encoder import TextEncoder

TITLES = [
    "Xerox 006R90321 toner cartridge Original Black 6 pc(s)",
    "Kids Cereal 14.5 OZ, Private 69",
    'Lenovo ThinkPad T490 notebook 35.6 cm (14") Full HD Intel Core i5',
    "Avocado",
    "tv",
]


@pytest.fixture(scope="module")
def by_torch() -> Floats:
    tokenizer = Tokenizer.from_file(str(locate(DEFAULT_PACKAGE) / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(64)
    coded = tokenizer.encode_batch(TITLES)
    ids, mask = (torch.tensor([getattr(text, name) for text in coded]) for name in ("ids", "attention_mask"))
    with torch.no_grad():
        hidden = load_bert()(ids, mask)
    mean = (hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    vectors: Floats = functional.normalize(mean, dim=1).numpy()
    return vectors


def test_the_packaged_int8_encoder_agrees_with_the_full_one(by_torch: Floats) -> None:
    cosines = (real_encoder().encode(TITLES) * by_torch).sum(axis=1)
    assert cosines.min() > 0.95


def test_serving_runs_the_exported_bert_as_torch_does(by_torch: Floats, tmp_path: Path) -> None:
    write_encoder(DEFAULT_PACKAGE, tmp_path)
    encoder = TextEncoder.load(tmp_path)
    assert encoder.dims == by_torch.shape[1]
    np.testing.assert_allclose(encoder.encode(TITLES), by_torch, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_queries(TITLES), by_torch, atol=1e-5)


def test_a_source_that_is_nowhere_is_named() -> None:
    with pytest.raises(ConfigError, match="no_such_bert"):
        locate("no_such_bert")


def test_only_safetensors_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ConfigError, match="safetensors"):
        locate(str(tmp_path))
