"""Lexical search engines that can be installed, each with the settings it may be tuned over.

A peer gives every item a score for a query; what it does not find scores minus infinity. All of them get the same
three fields: title, description, brand.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from serving.arrays import Floats

FIELDS = (c.TITLE, c.DESCRIPTION, c.BRAND)
WEIGHTS = ((1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1), (2, 1, 0), (2, 1, 1), (4, 1, 1), (1, 2, 1), (8, 1, 1))
SATURATIONS, PENALTIES = (0.3, 0.9, 1.5, 2.5), (0.0, 0.4, 0.75, 1.0)
ROW = "row"
Ask = Callable[[str], Floats]
Tuned = tuple[dict[str, Any], Ask]


def words(query: str) -> list[str]:
    """Runs of letters and digits, lower-cased: no peer's query language is ever met."""
    return re.findall(r"\w+", query.lower())


def bm25s(items: pd.DataFrame, full: bool = True) -> Iterator[Tuned]:
    """bm25s over fields repeated by weight, with Snowball's stemmer and without; `full` False: a few settings."""
    import bm25s as engine
    import Stemmer

    for weights, stemmed in product(WEIGHTS if full else WEIGHTS[:2], (True, False)):
        stemmer = Stemmer.Stemmer("english") if stemmed else None
        texts = _joined(items, weights)
        tokens = engine.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
        for k1, b in product(SATURATIONS, PENALTIES) if full else [(1.5, 0.75)]:
            index = engine.BM25(method="lucene", k1=k1, b=b)
            index.index(tokens, show_progress=False)

            def ask(query: str, index: Any = index, stemmer: Any = stemmer) -> Floats:
                asked = engine.tokenize(query, stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)
                known = [word for word in asked[0] if word in index.vocab_dict]
                return _found(index.get_scores(known) if known else np.zeros(len(items), dtype=np.float32))

            yield {"weights": weights, "stemmed": stemmed, "k1": k1, "b": b}, ask


def tantivy(items: pd.DataFrame, full: bool = True) -> Iterator[Tuned]:
    """tantivy with boosts per field, stemmed and plain; its k1 and b are fixed."""
    import tantivy as engine

    for tokenizer in ("en_stem", "default"):
        builder = engine.SchemaBuilder()
        for field in FIELDS:
            builder.add_text_field(field, tokenizer_name=tokenizer)
        builder.add_integer_field(ROW, fast=True)
        index = engine.Index(builder.build())
        writer = index.writer(num_threads=1)
        for row, texts in enumerate(zip(*(items[field] for field in FIELDS), strict=True)):
            writer.add_document(engine.Document(**dict(zip(FIELDS, texts, strict=True)), **{ROW: row}))
        writer.commit()
        index.reload()
        searcher = index.searcher()
        for weights in WEIGHTS if full else WEIGHTS[:2]:
            boosts = {field: float(weight) for field, weight in zip(FIELDS, weights, strict=True) if weight}

            def ask(
                query: str, index: Any = index, searcher: Any = searcher, boosts: Mapping[str, float] = boosts
            ) -> Floats:
                scores = np.zeros(len(items), dtype=np.float32)
                if not words(query):
                    return _found(scores)
                parsed = index.parse_query(" ".join(words(query)), list(boosts), field_boosts=dict(boosts))
                hits = searcher.search(parsed, len(items)).hits
                if hits:
                    scores[searcher.fast_field_values(ROW, [place for _, place in hits])] = [score for score, _ in hits]
                return _found(scores)

            yield {"weights": weights, "tokenizer": tokenizer}, ask


def fts5(items: pd.DataFrame, full: bool = True) -> Iterator[Tuned]:
    """SQLite's full-text index with weights per column, stemmed (porter) and plain; its k1 and b are fixed."""
    for tokenizer in ("porter unicode61", "unicode61"):
        base = sqlite3.connect(":memory:")
        base.execute(f"CREATE VIRTUAL TABLE items USING fts5({', '.join(FIELDS)}, tokenize='{tokenizer}')")
        rows = zip(range(len(items)), *(items[field] for field in FIELDS), strict=True)
        base.executemany(f"INSERT INTO items(rowid, {', '.join(FIELDS)}) VALUES (?, ?, ?, ?)", rows)
        for weights in WEIGHTS if full else WEIGHTS[:2]:

            def ask(query: str, base: sqlite3.Connection = base, weights: Sequence[int] = weights) -> Floats:
                scores = np.zeros(len(items), dtype=np.float32)
                matched = " OR ".join(f'"{word}"' for word in words(query))
                if matched:
                    told = "SELECT rowid, -bm25(items, ?, ?, ?) FROM items WHERE items MATCH ?"
                    for row, score in base.execute(told, (*weights, matched)):
                        scores[row] = score
                return _found(scores)

            yield {"weights": weights, "tokenizer": tokenizer}, ask


def _joined(items: pd.DataFrame, weights: Sequence[int]) -> list[str]:
    parts = [items[field] for field, weight in zip(FIELDS, weights, strict=True) for _ in range(weight)]
    return [" ".join(texts) for texts in zip(*parts, strict=True)]


def _found(scores: Floats) -> Floats:
    return np.where(scores > 0, scores, -np.inf).astype(np.float32)


PEERS: Mapping[str, Callable[..., Iterator[Tuned]]] = {"bm25s": bm25s, "tantivy": tantivy, "sqlite-fts5": fts5}
