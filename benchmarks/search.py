"""Search against engines that go by words, and Chinese questions against English titles: `make bench-search`.

Three shops go through the pipeline's own steps, and the engine of each release is asked:

- chorus: chorus_icecat_search, products and human grades; peers are tuned on the very queries they are judged by.
- fashion: the English titles of fashion_products_small, asked in Chinese (chinese_queries.csv says what is relevant).
- bazaar: a simulated shop with titles in both languages, asked in both.

Data sets are looked for in the folder that CUVEE_TEST_DATA names.
"""

import argparse
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.page import table as table_of
from benchmarks.search_peers import PEERS
from benchmarks.search_shops import DATA, FASHION, bazaar, chorus, fashion, released, table
from components.common import columns as c
from components.common.files import read_json, write_json
from components.common.ranking import Doubles
from components.evaluate.bootstrap import paired
from components.evaluate.judged_search import JudgedQueries, judge_search
from components.evaluate.metrics import graded_ndcg
from serving.arrays import PAD, Floats
from serving.engine import Engine
from serving.instances import Instance
from serving.queries import SEARCH
from serving.states import UserStates
from serving.text import words

log = logging.getLogger("benchmarks")
QUERIES = Path(__file__).with_name("chinese_queries.csv")
K, GOOD = 10, 2  # places; the grade of what answers but for one wish
METRICS = ("ndcg@10", "p@10", "hit@10")
GOAL, BAR = 0.10, 0.05  # fused search over the best peer
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


def peers(items: pd.DataFrame, judged: JudgedQueries) -> dict[str, tuple[dict[str, Any], Doubles]]:
    """By peer, the settings that do best on the judged queries and its NDCG@10 by query."""
    found = {}
    for name, settings in PEERS.items():
        tried = [
            (told, np.array([ndcg_of(ask(text), judged, row) for row, text in enumerate(judged.texts)]))
            for told, ask in settings(items)
        ]
        found[name] = max(tried, key=lambda one: float(one[1].mean()))
        log.info("%-12s %.4f of %d settings: %s", name, found[name][1].mean(), len(tried), found[name][0])
    return found


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
    others = peers(items, judged)
    best = max(others, key=lambda name: float(others[name][1].mean()))
    brands = frozenset(tuple(words(brand)) for brand in items[c.BRAND].unique() if brand)
    kinds = np.array([kind(text, brands) for text in judged.texts])
    everything = values | {name: found for name, (_, found) in others.items()}
    gain = paired(values["fused"], others[best][1], seed)
    return {
        "queries": len(judged.texts),
        "ndcg@10": {name: float(found.mean()) for name, found in everything.items()},
        "settings": {name: told for name, (told, _) in others.items()},
        "best_peer": best,
        "gain": gain.relative._asdict() if gain and gain.relative else None,
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
    found = ask(engine, queries["query"].tolist())
    rows = [
        {"query": told.query, "p@10": _right(products, ids, told)}
        for told, ids in zip(queries.itertuples(), found, strict=True)
    ]
    right = np.array([row["p@10"] for row in rows])
    return {
        "queries": len(rows),
        "items": len(engine.catalogue),
        "p@10": float(right.mean()),
        "hit@10": float((right > 0).mean()),
        "rows": rows,
    }


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
    found = ask(engine, asked[c.QUERY].tolist())
    values = np.array(
        [_graded(graded[graded[c.QUERY] == text], ids) for text, ids in zip(asked[c.QUERY], found, strict=True)]
    )
    languages = asked["language"].to_numpy()
    told = {
        name: {"queries": int((languages == name).sum())}
        | dict(zip(METRICS, values[languages == name].mean(axis=0).tolist(), strict=True))
        for name in ("en", "zh")
    }
    return {
        "items": len(engine.catalogue),
        "languages": told,
        "zh_to_en": told["zh"]["ndcg@10"] / told["en"]["ndcg@10"],
    }


def _graded(judged: pd.DataFrame, ids: list[str]) -> tuple[float, float, float]:
    """NDCG@10, the share of ten places with an item of grade 2 and more, and whether there is one."""
    grades = dict(zip(judged[c.ITEM_ID], judged[c.GRADE], strict=True))
    shown = np.array([[grades.get(item, 0.0) for item in ids]])
    good = float((shown >= GOOD).sum())
    return float(graded_ndcg(shown, judged[c.GRADE].to_numpy()[None], K)[0]), good / K, float(good > 0)


def show(found: dict[str, Any]) -> str:
    """The three parts in Markdown."""
    chorus_, fashion_, bazaar_ = (found[name] for name in ("chorus", "fashion", "bazaar"))
    names = list(chorus_["ndcg@10"])
    overall = [
        (name, f"{value:.4f}", str(chorus_["settings"].get(name, ""))) for name, value in chorus_["ndcg@10"].items()
    ]
    kinds = [
        (name, str(row["queries"]), *(f"{row[who]:.3f}" for who in names)) for name, row in chorus_["kinds"].items()
    ]
    gain = chorus_["gain"]
    bar = "holds" if gain["value"] >= BAR and gain["low"] > 0 else "does not hold"
    goal = "reached" if gain["value"] >= GOAL else "not reached"
    return "\n\n".join(
        [
            table_of(("chorus", "NDCG@10", "settings"), overall),
            f"Over {chorus_['best_peer']}: {gain['value']:+.1%} [{gain['low']:+.1%}, {gain['high']:+.1%}], "
            f"{chorus_['queries']} queries; at least {BAR:.0%} with a lower end above 0 {bar}, {GOAL:.0%} {goal}.",
            table_of(("kind of query", "queries", *names), kinds),
            f"Chinese queries on {fashion_['items']:,} English titles: p@10 {fashion_['p@10']:.3f}, hit@10 "
            f"{fashion_['hit@10']:.3f} ({fashion_['queries']} queries).",
            table_of(
                ("bazaar", "queries", "NDCG@10", "p@10", "hit@10"),
                [
                    (name, str(row["queries"]), *(f"{row[m]:.3f}" for m in METRICS))
                    for name, row in bazaar_["languages"].items()
                ],
            ),
        ]
    )


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
