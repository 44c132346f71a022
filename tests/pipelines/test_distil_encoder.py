"""`cuvee distil-encoder` on a run's folder, and what it says of itself."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from member_contract import planted_shop
from small_bert import FILLERS, SYNONYMS, make_bert
from typer.testing import CliRunner

from components.common import columns as c
from components.common.prepared import Prepared
from components.encode.run import encode
from components.train_text.bert import write_encoder
from pipelines.cli import app
from serving.encoder import TextEncoder


def test_a_finished_run_gives_an_encoder_for_the_next(tmp_path: Path) -> None:
    words = [*(word for pair in SYNONYMS for word in pair), *FILLERS]
    draw, shop = np.random.default_rng(0), planted_shop()
    items = pd.concat([shop.items.iloc[:1]] * 300, ignore_index=True)
    titles = [" ".join(draw.choice(words, 3, replace=False)) for _ in range(300)]
    items = items.assign(**{c.ITEM_ID: [f"i{row}" for row in range(300)], c.TITLE: titles})
    items[[c.CATEGORY, c.BRAND, c.DESCRIPTION]] = ""
    steps = tmp_path / "run" / "pipeline" / "one"
    Prepared(shop.events, items, shop.users, shop.split, shop.shop).save(steps / "prepare" / "prepared")
    write_encoder(str(make_bert(tmp_path / "bert")), tmp_path / "small")
    encode(steps / "prepare" / "prepared", str(tmp_path / "small"), steps / "encode" / "embeddings")

    ended = CliRunner().invoke(app, ["distil-encoder", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "own")])
    assert ended.exit_code == 0, ended.output
    before, learned = map(float, re.findall(r"items: (0\.\d+) by its single tokens, (0\.\d+) learned", ended.output)[0])
    assert learned > before
    encode(steps / "prepare" / "prepared", str(tmp_path / "own"), tmp_path / "again")  # what `cuvee run --encoder` does
    vectors = [np.load(folder / "text.npy") for folder in (steps / "encode" / "embeddings", tmp_path / "again")]
    np.testing.assert_array_equal(*vectors)
    folders = tmp_path / "small", tmp_path / "again" / "encoder"
    network, table = (TextEncoder.load(folder).encode_queries(["left0 word3"]) for folder in folders)
    assert 0.9 < (network @ table.T).item() < 0.99999
