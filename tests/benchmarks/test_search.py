"""The bench of search: its queries, its peers and its arithmetic, on what a reader can redo."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.search import QUERIES, kind, ndcg_of, tuned
from benchmarks.search_page import show
from benchmarks.search_peers import PEERS
from benchmarks.search_shops import chorus, fashion
from benchmarks.search_static import _told, loss
from components.common import columns as c
from components.common.errors import InputError
from components.evaluate.judged_search import JudgedQueries
from serving.text import has_chinese

ITEMS = pd.DataFrame(
    {
        c.ITEM_ID: list("abcd"),
        c.TITLE: ["wireless mouse", "mouse pad", "garden hose", "laptop"],
        c.DESCRIPTION: ["for the desk", "soft", "for the garden", "with a mouse"],
        c.BRAND: ["Acme", "Acme", "Flow", "Zentik"],
    }
)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_finds_by_words_and_nothing_else(name: str) -> None:
    for told, ask in PEERS[name](ITEMS, full=False):
        hoses = ask(
            "garden hoses" if told.get("stemmed") or "stem" in str(told) or "porter" in str(told) else "garden hose"
        )
        assert int(np.argmax(hoses)) == 2, told
        assert np.isneginf(hoses[3]), told
        assert np.isneginf(ask("submarine")).all()
        assert np.isneginf(ask('") OR *:* --')).all()
        assert ask("wireless mouse")[0] > ask("wireless mouse")[1]


def test_ndcg_is_of_the_judged_items_alone() -> None:
    judged = JudgedQueries(("mouse",), np.array([[0, 1, 3, -1]], np.int32), np.array([[3, 0, 1, 0]], np.float32))
    best = np.array([9, 1, 99, 5], dtype=np.float32)  # the third item is not judged
    assert ndcg_of(best, judged, 0) == pytest.approx(1)
    worse = np.array([np.nan, 1, 99, 5], dtype=np.float32)  # 1 of 1, then 0, then 7
    by_hand = (1 + 7 / np.log2(4)) / (7 + 1 / np.log2(3))
    assert ndcg_of(worse, judged, 0) == pytest.approx(by_hand)


def test_a_peer_is_tuned_with_sight_and_without() -> None:
    values = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.9, 0.9]])
    found = tuned([{"k": 1}, {"k": 2}], values, np.array([0, 0, 1, 1]))
    assert found.settings == {"k": 1}
    assert found.sighted.tolist() == [1, 1, 0, 0]
    assert found.unsighted.tolist() == [0, 0, 0, 0]  # each half is told what suits the other


@pytest.mark.parametrize(
    ("query", "expected"),
    [("tn-2110 toner", "model"), ("acme mouse", "brand"), ("wireless mouse", "attribute"), ("mouse", "category"),
     ("garden hose", "several words"), ("wireless", "category")],
)  # fmt: skip
def test_a_query_is_of_one_kind(query: str, expected: str) -> None:
    assert kind(query, frozenset({("acme",), ("flow",)})) == expected


def test_the_forty_queries_are_chinese_and_ask_for_what_there_is(shared_data: Path) -> None:
    queries = pd.read_csv(QUERIES, keep_default_na=False)
    assert len(queries) == queries["query"].nunique() == 40
    assert all(map(has_chinese, queries["query"]))
    products = pd.read_parquet(shared_data / "fashion_products_small" / "products.parquet")
    for told in queries.itertuples():
        right = products["articleType"].isin(str(told.types).split("|"))
        if told.colours:
            right &= products["baseColour"].isin(str(told.colours).split("|"))
        assert right.sum() >= 10, told.query


def test_shops_hold_titles_and_nothing_that_gives_the_answer_away(shared_data: Path, tmp_path: Path) -> None:
    assert list(pd.read_parquet(fashion(shared_data, tmp_path / "f") / "items.parquet")) == [c.ITEM_ID, c.TITLE]
    judgements = pd.read_parquet(chorus(shared_data, tmp_path / "c") / "judgements.parquet")
    assert set(judgements[c.GRADE]) <= {0, 1, 2, 3}
    assert judgements[c.QUERY].nunique() > 60


def test_data_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Set CUVEE_TEST_DATA"):
        chorus(tmp_path, tmp_path / "out")


def by_table(**told: Any) -> dict[str, Any]:
    times = {f"{what}_p{percent}_ms": 1.25 for what in ("all", "encoder", "rest") for percent in (50, 99)}
    return {**told, "latency": {"slower": 2.0, "engines": {"network": times, "table": times}}}


def english(ndcg: float) -> dict[str, Any]:
    return {"en": {"queries": 1, "ndcg@10": ndcg, "p@10": 0.5, "hit@10": 1.0}}


def test_what_a_table_loses_has_the_sign_of_a_loss() -> None:
    network = np.array([0.9, 0.8, 1.0, 0.7, 0.6, 1.0, 0.5])
    found = loss(network - 0.055, network, 0)
    assert found["value"] == pytest.approx(0.07)  # .055 of .786
    assert 0 < found["low"] <= found["value"] <= found["high"]
    assert loss(network + 0.055, network, 0)["high"] < 0


def test_a_gain_whose_interval_reaches_zero_does_not_hold() -> None:
    found: dict[str, Any] = {
        "chorus": {
            "queries": 2, "ndcg@10": {"fused": 0.9, "text": 0.7, "bm25s": 0.8}, "settings": {"bm25s": {"k1": 1}},
            "gain": {told: {"over": "bm25s", "ndcg@10": 0.8, "value": 0.125, "low": low, "high": 0.2}
                     for told, low in (("sighted", -0.01), ("unsighted", 0.01))},
            "kinds": {"brand": {"queries": 2, "fused": 0.9, "text": 0.7, "bm25s": 0.8}},
            "table": by_table(**{"ndcg@10": {"fused": 0.89, "text": 0.69},
                                 "loss": {"value": 0.011, "low": -0.002, "high": 0.03}}),
        },
        "fashion": {"items": 3, "queries": 1, "p@10": 0.5, "hit@10": 1.0, "table": by_table(**{"p@10": 0.4})},
        "bazaar": {"languages": english(0.5), "table": {"languages": english(0.45)}},
    }  # fmt: skip
    assert "+12.5% [-1.0%, +20.0%]" in show(found)
    assert "does not hold; 10% is reached" in show(found)
    assert "[+1.0%, +20.0%], 2 queries. At least 5% with a lower end above 0 holds" in show(found)
    assert "by the table: +1.10% [-0.20%, +3.00%]. At most 2% holds." in show(found)


def test_times_are_told_in_all_of_the_encoder_and_of_the_rest() -> None:
    found = _told(np.array([[2.0, 0.5], [4.0, 0.5], [9.0, 7.0]]))
    assert (found["all_p50_ms"], found["encoder_p50_ms"], found["rest_p50_ms"]) == (4.0, 0.5, 2.0)  # 1.5, 3.5, 2
    assert found["all_p99_ms"] == pytest.approx(9 - 0.02 * 5)
