"""Lexical and vector search against human judgements of real products (Chorus / Icecat)."""

from pathlib import Path

import numpy as np
import pandas as pd
from text_parts import real_encoder

from components.common import columns as c
from components.common.ranking import ndcg_at
from components.encode.compose import compose
from components.train_text.lexical import train_lexical
from serving.arrays import Floats
from serving.catalogue import Catalogue
from serving.members.lexical import Lexical
from serving.queries import SEARCH, Queries
from serving.states import UserStates


def read(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Products as items; judgements (query, row of the item, grade) of queries with something relevant."""
    folder = data / "chorus_icecat_search"
    products = pd.read_parquet(folder / "products.parquet")
    names = {c.ITEM_ID: "id", c.TITLE: "title", c.DESCRIPTION: "short_description", c.BRAND: "supplier"}
    items = pd.DataFrame({ours: products[theirs].fillna("").astype(str) for ours, theirs in names.items()})
    items[c.CATEGORY] = ""
    judged = pd.read_csv(folder / "judgements.csv.gz")
    judged["row"] = pd.Index(items[c.ITEM_ID]).get_indexer(pd.Index(judged["docid"].astype(str)))
    return items, judged[judged.groupby("query")["rating"].transform("max") >= 1]


def judged_ndcg(judged: pd.DataFrame, scores: Floats) -> float:
    """Mean NDCG@10 over queries, judged items only; *scores* stand beside the judgements."""
    values = []
    for _, places in judged.reset_index(drop=True).groupby("query").groups.items():
        grades = judged["rating"].to_numpy()[places]
        order = np.argsort(-np.nan_to_num(scores[places], nan=-np.inf), kind="stable")
        values.append(ndcg_at(grades[order][None, :], np.array([(grades > 0).sum()]), 10)[0])
    return float(np.mean(values))


def slipped(word: str, draw: np.random.Generator) -> str:
    """A word of four letters and more with one slip after its first letter: left out, put in, wrong or exchanged."""
    if len(word) < 4 or not word.isalpha():
        return word
    at, other = int(draw.integers(1, len(word))), chr(97 + int(draw.integers(26)))
    before, after = word[:at], word[at + 1 :]
    kinds = (before + after, before + other + word[at:], before + other + after, before[:-1] + word[at] + before[-1])
    kind = int(draw.integers(4))
    return kinds[kind] + after if kind == 3 else kinds[kind]


def test_a_slip_in_every_word_costs_next_to_nothing(shared_data: Path, tmp_path: Path) -> None:
    items, judged = read(shared_data)
    queries = sorted(judged["query"].unique())
    draw, thrice = np.random.default_rng(0), queries * 3
    slips = [" ".join(slipped(word, draw) for word in query.split()) for query in thrice]
    assert sum(one != other for one, other in zip(thrice, slips, strict=True)) > 140
    train_lexical(items, tmp_path)
    member, states = Lexical.load(tmp_path, Catalogue(items)), UserStates.from_items([[]] * len(queries), 0)
    of_query, rows = np.searchsorted(queries, judged["query"]), judged["row"].to_numpy()

    def quality(texts: list[str]) -> float:
        parts = [texts[at : at + len(queries)] for at in range(0, len(texts), len(queries))]
        found = [member.score_all(Queries(SEARCH, states, tuple(part)))[of_query, rows] for part in parts]
        return float(np.mean([judged_ndcg(judged, scores) for scores in found]))

    corrected = quality(slips)
    assert corrected > quality(queries) - 0.01
    member.vocabulary._near = lambda _word: []  # type: ignore[assignment]
    assert quality(slips) < corrected - 0.03


def test_vectors_beat_words_and_words_beat_chance(shared_data: Path, tmp_path: Path) -> None:
    items, judged = read(shared_data)
    queries = sorted(judged["query"].unique())
    of_query = np.searchsorted(queries, judged["query"])
    train_lexical(items, tmp_path)
    states = UserStates.from_items([[]] * len(queries), 0)
    found = Lexical.load(tmp_path, Catalogue(items)).score_all(Queries(SEARCH, states, tuple(queries)))
    words = judged_ndcg(judged, found[of_query, judged["row"].to_numpy()])
    rows, places = np.unique(judged["row"].to_numpy(), return_inverse=True)
    vectors = real_encoder().encode(compose(items.iloc[rows]))
    asked = real_encoder().encode_queries(queries)
    meaning = judged_ndcg(judged, (asked[of_query] * vectors[places]).sum(axis=1))
    chance = judged_ndcg(judged, np.random.default_rng(0).random(len(judged)).astype(np.float32))
    assert words > chance + 0.1
    assert words > 0.78
    assert meaning > words + 0.03
