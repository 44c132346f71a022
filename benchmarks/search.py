"""Search against engines that go by words, and Chinese questions against English titles: `make bench-search`.

Three shops go through the pipeline's own steps, and the engine of each release is asked:

- chorus: chorus_icecat_search, products and human grades; peers are tuned on the very queries they are judged by.
- fashion: the English titles of fashion_products_small, asked in Chinese (chinese_queries.csv says what is relevant).
- bazaar: a simulated shop with titles in both languages, asked in both.

Each is asked once more with its queries encoded by a table learned from its encoder (`cuvee distil-encoder`): what that
loses, and how long a search takes that was never asked before.

Data sets are looked for in the folder that CUVEE_TEST_DATA names.
"""

import argparse
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.search_page import METRICS, show
from benchmarks.search_peers import PEERS
from benchmarks.search_shops import DATA, FASHION, bazaar, chorus, distilled, fashion, released, table
from benchmarks.search_static import NETWORK, TABLE, latency, loss
from components.common import columns as c
from components.common.files import read_json, write_json
from components.common.ranking import Doubles
from components.evaluate.bootstrap import paired
from components.evaluate.judged_search import JudgedQueries, judge_search
from components.evaluate.metrics import graded_ndcg
from serving.arrays import PAD, Floats, Longs
from serving.engine import Engine
from serving.instances import Instance
from serving.queries import SEARCH
from serving.states import UserStates
from serving.text import words

log = logging.getLogger("benchmarks")
QUERIES = Path(__file__).with_name("chinese_queries.csv")
K, GOOD = 10, 2  # places; the grade of what answers but for one wish
FOLDS = 5
ATTRIBUTES = frozenset(
    ("bluetooth", "digital", "external", "gaming", "laser", "rechargeable", "smart", "touchscreen", "usb", "wireless")
)


def kind(query: str, brands: frozenset[tuple[str, ...]]) -> str:
    """Of what kind a query is: model, brand, attribute, category (one word), several words."""
    found = query.lower().split()
    if any(letter.isdigit() for letter in query):
        return "model"
    terms = words(query)
    if any(tuple(terms[a:b]) in brands for a in range(len(terms)) for b in range(a + 1, len(terms) + 1)):
        return "brand"
    if ATTRIBUTES & set(found) and len(found) > 1:
        return "attribute"
    return "category" if len(found) == 1 else "several words"


def ndcg_of(scores: Floats, judged: JudgedQueries, row: int) -> float:
    """NDCG@10 of query *row* when its judged items stand in the order of *scores* (n_items,); ties by catalogue row."""
    items = judged.items[row][judged.items[row] != PAD]
    grades = judged.grades[row][: len(items)]
    order = np.argsort(-np.where(np.isnan(scores[items]), -np.inf, scores[items]), kind="stable")
    return float(graded_ndcg(grades[order][None], grades[None], K)[0])


@dataclass(frozen=True)
class Peer:
    """NDCG@10 by query with the *settings* that do best on all queries, and with those that do on the other folds'."""

    settings: dict[str, Any]
    sighted: Doubles
    unsighted: Doubles


def peers(items: pd.DataFrame, judged: JudgedQueries, seed: int) -> dict[str, Peer]:
    """Every peer, tuned over its settings."""
    fold = np.random.default_rng(seed).permutation(len(judged.texts)) % FOLDS
    found = {}
    for name, settings in PEERS.items():
        tried, values = [], []
        for told, ask in settings(items):
            tried.append(told)
            values.append([ndcg_of(ask(text), judged, row) for row, text in enumerate(judged.texts)])
        found[name] = tuned(tried, np.array(values), fold)
        log.info("%-12s %.4f of %d settings", name, found[name].sighted.mean(), len(tried))
    return found


def tuned(tried: list[dict[str, Any]], values: Doubles, fold: Longs) -> Peer:
    """The peer of (settings, queries) *values*; fold: (queries,)."""
    best = int(values.mean(axis=1).argmax())
    unsighted = np.empty(values.shape[1])
    for number in np.unique(fold):
        here = fold == number
        unsighted[here] = values[int(values[:, ~here].mean(axis=1).argmax()), here]
    return Peer(tried[best], values[best], unsighted)


def members(engine: Engine, judged: JudgedQueries) -> dict[str, Doubles]:
    """By member of search, its NDCG@10 by query when it ranks alone."""
    nobody = UserStates.from_items([[] for _ in judged.texts], engine.as_of)
    pool = engine.score_items(engine.queries(SEARCH, nobody, judged.texts), judged.items)
    return {
        name: np.array([_alone(pool.scores[row, :, place], judged, row) for row in range(len(judged.texts))])
        for place, name in enumerate(pool.members)
    }


def _alone(scores: Floats, judged: JudgedQueries, row: int) -> float:
    whole = np.full(int(judged.items.max()) + 1, np.nan, dtype=np.float32)
    known = judged.items[row] != PAD
    whole[judged.items[row][known]] = scores[known]
    return ndcg_of(whole, judged, row)


def bench_chorus(data: Path, out: Path, seed: int) -> dict[str, Any]:
    """Fused search, its members and the peers on Chorus's judged items."""
    engine, fusion = released(chorus(data, out / "shop"), out / "steps", seed)
    items = engine.catalogue.items
    judged = JudgedQueries.of(pd.read_parquet(out / "shop" / "judgements.parquet"), engine.catalogue)
    values: dict[str, Doubles] = {"fused": judge_search(engine, judged, fusion).fused, **members(engine, judged)}
    light, told = distilled(engine, out / "steps", out / "table", seed)
    by_table = judge_search(light, judged, fusion).fused
    others = peers(items, judged, seed)
    brands = frozenset(tuple(words(brand)) for brand in items[c.BRAND].unique() if brand)
    kinds = np.array([kind(text, brands) for text in judged.texts])
    everything = values | {name: peer.sighted for name, peer in others.items()}
    return {
        "queries": len(judged.texts),
        "table": {
            "distilled": told,
            "ndcg@10": {"fused": float(by_table.mean()), "text": float(members(light, judged)["text"].mean())},
            "loss": loss(by_table, values["fused"], seed),
            "latency": latency({NETWORK: engine, TABLE: light}, judged.texts),
        },
        "ndcg@10": {name: float(found.mean()) for name, found in everything.items()},
        "settings": {name: peer.settings for name, peer in others.items()},
        "gain": {
            told: _gain(values["fused"], {name: getattr(peer, told) for name, peer in others.items()}, seed)
            for told in ("sighted", "unsighted")
        },
        "kinds": {
            name: {"queries": int((kinds == name).sum())}
            | {who: float(found[kinds == name].mean()) for who, found in everything.items()}
            for name in sorted(set(kinds.tolist()))
        },
        "report": read_json(fusion / "fit_report.json")["tasks"][SEARCH],
        "by_query": {
            text: {who: float(found[row]) for who, found in everything.items()} for row, text in enumerate(judged.texts)
        },
    }


def _gain(fused: Doubles, others: dict[str, Doubles], seed: int) -> dict[str, Any]:
    """Over the best of *others*: its name, its NDCG@10 and the relative gain with its paired 95% interval."""
    best = max(others, key=lambda name: float(others[name].mean()))
    found = paired(fused, others[best], seed)
    told = found.relative._asdict() if found and found.relative else dict.fromkeys(("value", "low", "high"), 0.0)
    return {"over": best, "ndcg@10": float(others[best].mean()), **told}


def ask(engine: Engine, texts: list[str]) -> list[list[str]]:
    """The ids of the first ten items that the server would show for each text."""
    asked = [Instance(scenario=SEARCH, query=text, k=K) for text in texts]
    return [[item["item_id"] for item in answer["items"]] for answer in engine.answer(asked, None, engine.as_of)]


def bench_fashion(data: Path, out: Path, seed: int) -> dict[str, Any]:
    """Forty Chinese queries on English titles: how many of the first ten items are of the right type (and colour)."""
    engine, _ = released(fashion(data, out / "shop"), out / "steps", seed)
    products = table(data / FASHION / "products.parquet").set_index("product_id", drop=False)
    products.index = products.index.astype(str)
    queries = pd.read_csv(QUERIES, keep_default_na=False)
    light, told = distilled(engine, out / "steps", out / "table", seed)
    right, by_table = (_answered(one, queries, products) for one in (engine, light))
    return {
        "queries": len(queries),
        "items": len(engine.catalogue),
        "p@10": float(right.mean()),
        "hit@10": float((right > 0).mean()),
        "table": {
            "distilled": told,
            "p@10": float(by_table.mean()),
            "hit@10": float((by_table > 0).mean()),
            "latency": latency({NETWORK: engine, TABLE: light}, queries["query"].tolist()),
        },
        "rows": [
            {"query": query, "p@10": one, "by table": other}
            for query, one, other in zip(queries["query"], right.tolist(), by_table.tolist(), strict=True)
        ],
    }


def _answered(engine: Engine, queries: pd.DataFrame, products: pd.DataFrame) -> Doubles:
    """(q,) of the first ten items for each query, the share that is right."""
    found = ask(engine, queries["query"].tolist())
    return np.array([_right(products, ids, told) for told, ids in zip(queries.itertuples(), found, strict=True)])


def _right(products: pd.DataFrame, ids: list[str], told: Any) -> float:
    shown = products.loc[ids]
    right = shown["articleType"].isin(told.types.split("|"))
    if told.colours:
        right &= shown["baseColour"].isin(told.colours.split("|"))
    return float(right.sum()) / K


def bench_bazaar(out: Path, seed: int) -> dict[str, Any]:
    """What a shop with titles in both languages answers to its judged queries, by language; every item is graded."""
    shop = bazaar(out, seed)
    engine, _ = released(shop, out / "steps", seed)
    graded = pd.read_parquet(out / "written" / "judgements.parquet")
    asked = pd.read_parquet(out / "written" / "truth" / "queries.parquet").drop_duplicates(c.QUERY)
    light, told = distilled(engine, out / "steps", out / "table", seed)
    languages, by_table = (_by_language(one, asked, graded) for one in (engine, light))
    return {
        "items": len(engine.catalogue),
        "languages": languages,
        "table": {"distilled": told, "languages": by_table},
        "zh_to_en": languages["zh"]["ndcg@10"] / languages["en"]["ndcg@10"],
    }


def _by_language(engine: Engine, asked: pd.DataFrame, graded: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By language of the queries *asked*, how many there are and the METRICS of the answers."""
    found = ask(engine, asked[c.QUERY].tolist())
    values = np.array(
        [_graded(graded[graded[c.QUERY] == text], ids) for text, ids in zip(asked[c.QUERY], found, strict=True)]
    )
    languages = asked["language"].to_numpy()
    return {
        name: {"queries": int((languages == name).sum())}
        | dict(zip(METRICS, values[languages == name].mean(axis=0).tolist(), strict=True))
        for name in ("en", "zh")
    }


def _graded(judged: pd.DataFrame, ids: list[str]) -> tuple[float, float, float]:
    """NDCG@10, the share of ten places with an item of grade 2 and more, and whether there is one."""
    grades = dict(zip(judged[c.ITEM_ID], judged[c.GRADE], strict=True))
    shown = np.array([[grades.get(item, 0.0) for item in ids]])
    good = float((shown >= GOOD).sum())
    return float(graded_ndcg(shown, judged[c.GRADE].to_numpy()[None], K)[0]), good / K, float(good > 0)


def main() -> None:
    """Run the three parts, print their tables and write search.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get(DATA, ".")))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    out = options.out / "search"
    found = {
        "chorus": bench_chorus(options.data, out / "chorus", options.seed),
        "fashion": bench_fashion(options.data, out / "fashion", options.seed),
        "bazaar": bench_bazaar(out / "bazaar", options.seed),
    }
    log.info("%s", show(found))
    write_json(options.out / "search.json", {"seed": options.seed, **found})


if __name__ == "__main__":
    main()
