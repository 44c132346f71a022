"""Is what `similar` shows the same kind of thing, by photos, by text, by both: `make bench-media`.

The data are fashion_products_small (8,000 products with a photo, 97 types) and flipkart_1050 (1,050 products with text,
1,047 with a photo), which are looked for in the folder that CUVEE_TEST_DATA names. The shop is given titles and photos,
of Flipkart descriptions and brands too, and never a category or a type: those only judge. Everything goes through the
stages and the engine that serve.
"""

import argparse
import json
import logging
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.errors import InputError
from components.common.files import write_json
from components.encode.run import encode
from components.fuse.run import fuse
from components.ingest.run import ingest
from components.package.run import package
from components.prepare.run import prepare
from components.train_rules.run import train_rules
from components.train_text.run import train_text
from serving.arrays import Floats, Ints, Longs, top_k
from serving.engine import Engine
from serving.queries import SIMILAR
from serving.states import UserStates

log = logging.getLogger("benchmarks")
DATA = "CUVEE_TEST_DATA"
FASHION, FLIPKART = "fashion_products_small", "flipkart_1050"
K, BATCH, NORMAL, MOST_PHOTOS = 10, 200, 1.96, 1000
LEVELS = {"top": 1, "second": 2}
BY_TEXT = ("image", "joint")  # members left out where text alone is asked


@dataclass(frozen=True)
class Case:
    """A catalogue without its kinds, and the kinds by level: (n,) numbers, -1 where unknown. photos: a zip file."""

    name: str
    items: pd.DataFrame
    kinds: Mapping[str, Longs]
    photos: Path


@dataclass(frozen=True)
class Precision:
    """Mean share of the first ten that are of the anchor's kind, its 95% interval, and how many anchors were asked."""

    precision: float
    low: float
    high: float
    anchors: int


def fashion(folder: Path, with_types: bool = True) -> Case:
    """Products that have a photo; without types: no title holds a word that a type or category is called by."""
    table = _table(folder, FASHION)
    table = table[table["has_image"]].reset_index(drop=True)
    titles = table["title"].fillna("").astype(str)
    if not with_types:
        titles = without(titles, table[["articleType", "subCategory", "category"]])
    ids = table["product_id"].astype(str)
    items = pd.DataFrame({c.ITEM_ID: ids, c.TITLE: titles, c.IMAGE: "photos/" + ids + ".jpg"})
    name = FASHION if with_types else f"{FASHION}, type words removed"
    return Case(name, items, {"type": _numbers(table["articleType"])}, folder / FASHION / "images.zip")


def flipkart(folder: Path) -> Case:
    """All products; three have no photo."""
    table = _table(folder, FLIPKART)
    paths = [json.loads(text)[0].split(" >> ") for text in table["product_category_tree"]]
    items = pd.DataFrame(
        {
            c.ITEM_ID: table["uniq_id"].astype(str),
            c.TITLE: table["product_name"].astype(str),
            c.DESCRIPTION: table["description"].astype(str),
            c.BRAND: table["brand"],
            c.IMAGE: "photos/" + table["image"].astype(str),
        }
    )
    kinds = {level: _numbers(pd.Series([_level(path, depth) for path in paths])) for level, depth in LEVELS.items()}
    return Case(FLIPKART, items, kinds, folder / FLIPKART / "images.zip")


def _level(path: list[str], depth: int) -> str | None:
    return " > ".join(path[:depth]) if len(path) >= depth else None


def without(titles: "pd.Series[str]", names: pd.DataFrame) -> "pd.Series[str]":
    """*titles* without the words of any of *names*, in singular or plural; a title of nothing else becomes "item"."""
    words = {_stem(word) for name in set(names.to_numpy().ravel().tolist()) for word in _words(name)}
    kept = titles.map(lambda title: " ".join(word for word in title.split() if _stem(word) not in words))
    return kept.where(kept != "", "item")


def _words(name: object) -> list[str]:
    return re.findall(r"[a-z]+", str(name).lower())


def _stem(word: str) -> str:
    plain = re.sub(r"[^a-z]", "", word.lower())
    if plain.endswith("ies"):
        return f"{plain[:-3]}y"
    if plain.endswith(("ches", "shes", "sses", "xes")):
        return plain[:-2]
    return plain[:-1] if plain.endswith("s") and not plain.endswith("ss") else plain


def build(case: Case, work: Path, seed: int) -> Engine:
    """The release of *case*, made by the stages below the folder *work*."""
    with zipfile.ZipFile(case.photos) as archive:
        archive.extractall(work / "shop" / "photos")
    case.items.to_parquet(work / "shop" / "items.parquet", index=False)
    ingest(str(work / "shop"), None, str(work / "store"), work / "tables")
    prepare(work / "tables", work / "prepared", "temporal", "fast", seed)
    encode(work / "prepared", "minilm-int8", work / "embeddings")
    train_text(work / "prepared", work / "embeddings", work / "text", "fast", seed)
    train_rules(work / "prepared", work / "embeddings", work / "rules", seed)
    members = [work / "text", work / "rules"]
    fuse(work / "prepared", work / "embeddings", work / "features", members, work / "fusion", "fast", seed)
    package(work / "prepared", work / "embeddings", work / "fusion", members, work / "release")
    return Engine.load(work / "release")


def answers(engine: Engine, anchors: Longs, weights: Mapping[str, float]) -> Ints:
    """(n, K) rows that `similar` shows for the rows *anchors* (n,), with the request's own *weights*."""
    found = []
    for start in range(0, len(anchors), BATCH):
        part = anchors[start : start + BATCH]
        states = UserStates.from_items([[int(row)] for row in part], engine.as_of)
        pool = engine.pool(engine.queries(SIMILAR, states), SIMILAR)
        found.append(engine.rank(pool, SIMILAR, K, weights=weights).items)
    return np.concatenate(found)


def alone(engine: Engine, anchors: Longs, member: str) -> Ints:
    """(n, K) rows that one member likes best, of the whole catalogue without the anchor."""
    found = []
    for start in range(0, len(anchors), BATCH):
        part = anchors[start : start + BATCH]
        states = UserStates.from_items([[int(row)] for row in part], engine.as_of)
        scores = engine.members[member].score_all(engine.queries(SIMILAR, states))
        scores[np.arange(len(part)), part] = -np.inf
        found.append(top_k(scores, K))
    return np.concatenate(found)


def unlearned(photos: Floats, anchors: Longs) -> Ints:
    """(n, K) rows whose encoded photos are nearest, as the encoder gives them: nothing of any text."""
    scores = photos[anchors] @ np.nan_to_num(photos).T
    scores[:, np.isnan(photos[:, 0])] = np.nan
    scores[np.arange(len(anchors)), anchors] = -np.inf
    return top_k(scores, K)


@dataclass(frozen=True)
class Reading:
    """What is asked of a list: (n,) numbers of kinds, (m,) places of the anchors that are asked, out of how many.

    of: (n_items,) how many of a list are to be right, beside each item; K but where no more are of its kind.
    """

    name: str
    kinds: Longs
    asked: Longs
    of: Longs


def readings(level: str, kinds: Longs, anchors: Longs) -> list[Reading]:
    """All anchors, those of kinds of at least K + 1 items, out of what can be right, and the other half."""
    whole, everyone = np.full(len(kinds), K), np.arange(len(anchors))
    counts = np.bincount(kinds[kinds >= 0], minlength=1)
    possible = np.where(kinds >= 0, np.minimum(counts[np.maximum(kinds, 0)] - 1, K), 0)
    return [
        Reading(level, kinds, everyone, whole),
        Reading(f"{level}, of {K + 1} items or more", findable(kinds), everyone, whole),
        Reading(
            f"{level}, out of what can be right", np.where(possible > 0, kinds, -1), everyone, np.maximum(possible, 1)
        ),
        Reading(f"{level}, the other half", kinds, unseen(len(anchors)), whole),
    ]


def unseen(n: int) -> Longs:
    """Places of the other half of *n* anchors: those whose kinds were not looked at when numbers were set last."""
    return np.sort(np.random.default_rng(0).permutation(n)[n // 2 :]).astype(np.int64)


def ceiling(kinds: Longs, anchors: Longs) -> float:
    """The precision of lists as right as they can be."""
    known = anchors[kinds[anchors] >= 0]
    return float((np.minimum(np.bincount(kinds[kinds >= 0])[kinds[known]] - 1, K) / K).mean())


def precision(shown: Ints, anchors: Longs, kinds: Longs, of: Longs | None = None) -> Precision:
    """How many of *shown* (n, K; -1 is nothing) are of the kind of the *anchors* (n,), of those whose kind is known.

    of: (n_items,) by anchor, what the count is divided by; the length of a list unless given.
    """
    known = kinds[anchors] >= 0
    same = (kinds[shown] == kinds[anchors][:, None]) & (shown >= 0)
    shares = same[known].sum(axis=1) / (shown.shape[1] if of is None else of[anchors[known]])
    error = NORMAL * float(shares.std()) / len(shares) ** 0.5
    mean = float(shares.mean())
    return Precision(mean, mean - error, mean + error, len(shares))


def findable(kinds: Longs) -> Longs:
    """*kinds* (n,), -1 for those of fewer than K + 1 items: beside such an anchor no list of K can be right."""
    counts = np.bincount(kinds[kinds >= 0], minlength=1)
    return np.where((kinds >= 0) & (counts[np.maximum(kinds, 0)] > K), kinds, -1)


def found_again(engine: Engine, case: Case, work: Path, seed: int) -> tuple[int, int]:
    """Of up to MOST_PHOTOS photos, asked as files: how many find their own item, or its twin by photo, first."""
    files = [(row, work / "shop" / path) for row, path in enumerate(case.items[c.IMAGE])]
    there = [(row, path.read_bytes()) for row, path in files if path.is_file()]
    drawn = np.random.default_rng(seed).permutation(len(there))[:MOST_PHOTOS]
    photo_of = dict(there)
    hits = 0
    for start in range(0, len(drawn), BATCH):
        asked = [there[place] for place in drawn[start : start + BATCH]]
        nobody = UserStates.from_items([[] for _ in asked], engine.as_of)
        queries = engine.with_photos(engine.queries(SIMILAR, nobody), [content for _, content in asked])
        first = engine.rank(engine.pool(queries, SIMILAR), SIMILAR, 1).items[:, 0]
        hits += sum(photo_of.get(int(row)) == content for row, (_, content) in zip(first, asked, strict=True))
    return hits, len(drawn)


def measure(case: Case, work: Path, seed: int) -> dict[str, object]:
    """Every figure of one case."""
    started = time.process_time()
    engine = build(case, work, seed)
    built = time.process_time() - started
    photos: Floats = np.load(work / "embeddings" / "image.npy", allow_pickle=False)
    anchors = np.flatnonzero(~np.isnan(photos[:, 0])).astype(np.int64)
    shown = {
        "photo, as encoded": unlearned(photos, anchors),
        "photo": alone(engine, anchors, "image"),
        "tfidf": alone(engine, anchors, "tfidf"),
        "joint": alone(engine, anchors, "joint"),
        "text": answers(engine, anchors, dict.fromkeys(BY_TEXT, 0.0)),
        "text + photo": answers(engine, anchors, {}),
    }
    figures: dict[str, object] = {}
    for one in (one for level, kinds in case.kinds.items() for one in readings(level, kinds, anchors)):
        for way, rows in shown.items():
            found = precision(rows[one.asked], anchors[one.asked], one.kinds, one.of)
            log.info("| %s | %s | %s | %s |", case.name, one.name, way, _interval(found))
            figures[f"{one.name}: {way}"] = asdict(found)
    highest = {level: ceiling(kinds, anchors) for level, kinds in case.kinds.items()}
    log.info("%s: at most %s can be reached.", case.name, ", ".join(f"{top:.3f} ({of})" for of, top in highest.items()))
    hits, asked = found_again(engine, case, work, seed)
    log.info("%s: %d of %d photos find their item first; %.0f CPU seconds to build.", case.name, hits, asked, built)
    return {"precision@10": figures, "at_most": highest, "found_again": [hits, asked], "build_cpu_s": built}


def _interval(found: Precision) -> str:
    return f"{found.anchors:,} | {found.precision:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _numbers(names: "pd.Series[str]") -> Longs:
    return np.asarray(pd.factorize(names)[0], dtype=np.int64)


def _table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / name / "products.parquet"
    if not path.is_file():
        raise InputError(f"{path} is not there. Set {DATA} to the folder that holds {name}/products.parquet.")
    return pd.read_parquet(path)


def main() -> None:
    """Measure, print a table and write media.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get(DATA, ".")))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, choices=range(3), nargs="*", default=range(3), help="which of the three")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    log.info("| data | level | by | anchors | precision@10, 95% interval |\n|---|---|---|---|---|")
    found = {}
    cases = (flipkart(options.data), fashion(options.data), fashion(options.data, with_types=False))
    for case in (cases[number] for number in options.case):
        with tempfile.TemporaryDirectory() as work:
            found[case.name] = measure(case, Path(work), options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "media.json", {"seed": options.seed, "cases": found})


if __name__ == "__main__":
    main()
