"""Distils a shop's text encoder into a table of queries' vectors: what a network says of short texts, without it.

The encoder stays the teacher: items keep its vectors. Texts as shoppers ask are encoded by it, and the rows of the
table are the ridge regression of its vectors on the texts' tokens and pairs of neighbours, held to what the teacher
says of a token alone, so that words which the shop does not use still mean something. No judged query is read.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from components.common.config import Config
from components.common.errors import ConfigError
from components.common.files import sha256, write_json
from components.common.prepared import Prepared
from components.train_text.asked_texts import of_items, searched
from components.train_text.query_table import holdings, pairs_held, ridge
from serving.arrays import Floats, Longs, top_k
from serving.encoder import ENCODER_FILE, MODEL_FILE, TOKENIZER_FILE, TextEncoder
from serving.static_queries import PAIR, QUERIES_FILE, table_of

FIRST = 10  # items whose names are compared
FEWEST = 200  # texts to learn from


class DistilConfig(Config):
    """Numbers of the distillation."""

    most_texts: int = Field(50_000, ge=1, description="learned from; drawn if there are more")
    held_out: float = Field(0.05, gt=0, lt=1, description="share of the items whose texts judge")
    most_judged: int = Field(2_000, ge=1, description="texts that judge; drawn if there are more")
    fewest_of_pair: int = Field(3, ge=1, description="texts that hold a pair of tokens which gets a row")
    most_pairs: int = Field(60_000, ge=0, description="pairs that get a row, the most frequent")
    reg: float = Field(0.3, gt=0, description="how firmly a token's row is held to the teacher's vector of it alone")
    pair_reg: float = Field(1.0, gt=0, description="how firmly a pair's row is held to zero")
    steps: int = Field(20, ge=1, description="of conjugate gradients")


@dataclass(frozen=True)
class Distilled:
    """What came of it, on texts not learned from: mean cosine with the teacher's vectors, share of its first items.

    before: the same share where a query is the mean of the teacher's vectors of its tokens alone.
    """

    texts: int
    rows: int
    judged: int
    cosine: float
    overlap: float
    before: float


def distil(
    prepared: Path, encoder: Path, vectors: Path, out: Path, seed: int, config: DistilConfig | None = None
) -> Distilled:
    """Write to *out* the encoder with a table of queries, a folder that `cuvee run --encoder` takes.

    Args:
        prepared: a prepared folder.
        encoder: the folder of the encoder that teaches; a table that it has already takes no part.
        vectors: .npy of (n_items, d) the items' vectors by that encoder.
        out: folder to write.
        seed: draws and divides the texts.
        config: numbers.

    Raises:
        ConfigError: too few texts to learn from, or an encoder that is asked in Chinese.
        ReleaseError: the encoder is damaged.
    """
    config, shop, draw = config or DistilConfig(), Prepared.load(prepared), np.random.default_rng(seed)
    learn, judge = _divided(shop.items, searched(shop, prepared), config, draw)
    if len(learn) < FEWEST or not judge:
        raise ConfigError(f"distilling: found {len(learn)} texts to learn from and {len(judge)} to judge by, expected "
                          f"at least {FEWEST} and 1. The shop needs more items with titles in English.")  # fmt: skip
    teacher = TextEncoder.load(encoder, threads=min(os.cpu_count() or 1, 4))
    if teacher.reads_chinese:
        raise ConfigError(f"{encoder}: reads Chinese, expected one that is asked in English. Serve it as it is.")
    keys, start, learned = _table(teacher, learn, config)
    items: Floats = np.load(vectors, allow_pickle=False)
    asked, held = teacher.encode(judge), holdings(teacher.tokens(judge), keys)
    before, _ = _judged(asked, held @ start, items)
    overlap, cosine = _judged(asked, held @ learned, items)
    _write(encoder, out, keys, learned)
    return Distilled(len(learn), len(keys), len(judge), cosine, overlap, before)


def alone(teacher: TextEncoder) -> Floats:
    """(tokens, d) the vector of each token of the vocabulary as a text of its own; zeros for what is no text."""
    frame = set(teacher.tokens([""])[0])
    names = [name.removeprefix("##").lstrip("Ġ▁") for name in teacher.vocabulary]
    plain = [token for token, name in enumerate(names) if name and token not in frame and name[0] not in "[<"]
    found = np.zeros((len(names), teacher.dims), dtype=np.float32)
    found[plain] = teacher.encode([names[token] for token in plain])
    return found


def _divided(
    items: pd.DataFrame, asked: Sequence[str], config: DistilConfig, draw: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Texts to learn from, and texts of other items, none of them among the first."""
    order = draw.permutation(len(items))
    aside = int(len(items) * config.held_out)
    learn = list(dict.fromkeys([*asked, *of_items(items.iloc[np.sort(order[aside:])], draw)]))
    known = set(learn)
    judge = [text for text in of_items(items.iloc[np.sort(order[:aside])], draw) if text not in known]
    return _drawn(learn, config.most_texts, draw), _drawn(judge, config.most_judged, draw)


def _drawn(texts: list[str], most: int, draw: np.random.Generator) -> list[str]:
    return [texts[at] for at in np.sort(draw.permutation(len(texts))[:most])]


def _table(teacher: TextEncoder, texts: Sequence[str], config: DistilConfig) -> tuple[Longs, Floats, Floats]:
    """Ascending keys of the table's rows, what they were held to, and what was learned: (k,), (k, d), (k, d)."""
    tokens, single = teacher.tokens(texts), alone(teacher)
    pairs = pairs_held(tokens, config.fewest_of_pair, config.most_pairs)
    keys = np.concatenate([np.arange(len(single), dtype=np.int64), pairs])
    start = np.concatenate([single, np.zeros((len(pairs), single.shape[1]), np.float32)])
    reg = np.where(keys < PAIR, config.reg, config.pair_reg).astype(np.float32)
    return keys, start, ridge(holdings(tokens, keys), teacher.encode(texts), start, reg, config.steps)


def _judged(asked: Floats, told: Floats, items: Floats) -> tuple[float, float]:
    """Share of the teacher's first items that the table finds first, and the mean cosine of the two.

    Args:
        asked: (n, d) the teacher's vectors of texts, of length one.
        told: (n, d) the table's sums for them.
        items: (n_items, d).
    """
    told = told / np.maximum(np.linalg.norm(told, axis=1, keepdims=True), 1e-12)
    first, second = (top_k(vectors @ items.T, FIRST) for vectors in (asked, told))
    shared = [len(np.intersect1d(one, other)) for one, other in zip(first, second, strict=True)]
    return float(np.mean(shared)) / first.shape[1], float((asked * told).sum(axis=1).mean())


def _write(encoder: Path, out: Path, keys: Longs, rows: Floats) -> None:
    """The encoder's own files and the table beside them."""
    out.mkdir(parents=True, exist_ok=True)
    for name in (MODEL_FILE, TOKENIZER_FILE):
        if (encoder / name).resolve() != (out / name).resolve():
            shutil.copyfile(encoder / name, out / name)
    np.save(out / QUERIES_FILE, table_of(keys, rows), allow_pickle=False)
    spec = TextEncoder.load(encoder).spec
    files = spec.files | {QUERIES_FILE: sha256(out / QUERIES_FILE)}
    write_json(out / ENCODER_FILE, spec.model_copy(update={"files": files}).model_dump(mode="json"))
    TextEncoder.load(out)  # serving must be able to read what was written
