"""Search against human judgements: of each query only its judged items are ranked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.files import read_json
from components.common.ranking import Doubles
from components.evaluate.metrics import NOT_SCORED, graded_ndcg
from serving.arrays import PAD, Floats, Ints, top_k
from serving.blend import Blend
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.pool import Pool
from serving.queries import SEARCH
from serving.ranking import rank_with
from serving.states import UserStates

K, BATCH, LEXICAL = 10, 128, "lexical"
OUT_OF_FOLD = "search_oof.json"


@dataclass(frozen=True)
class JudgedQueries:
    """texts: (q) queries. items, grades: (q, c) their judged catalogue rows, ascending, -1 padding with grade 0."""

    texts: tuple[str, ...]
    items: Ints
    grades: Floats

    @classmethod
    def of(cls, judgements: pd.DataFrame, catalogue: Catalogue) -> "JudgedQueries":
        """Queries with at least one relevant item that the catalogue holds; of repeated judgements the highest."""
        table = judgements[[c.QUERY, c.GRADE]].assign(row=catalogue.index(list(judgements[c.ITEM_ID].astype(str))))
        table = table[table["row"] != PAD].sort_values([c.QUERY, "row", c.GRADE])
        table = table.drop_duplicates([c.QUERY, "row"], keep="last")
        table = table[table.groupby(c.QUERY)[c.GRADE].transform("max") > 0]
        number, texts = pd.factorize(table[c.QUERY])
        place = table.groupby(c.QUERY).cumcount().to_numpy()
        items = np.full((len(texts), int(place.max(initial=-1)) + 1), PAD, dtype=np.int32)
        grades = np.zeros(items.shape, dtype=np.float32)
        items[number, place] = table["row"]
        grades[number, place] = table[c.GRADE]
        return cls(tuple(str(text) for text in texts), items, grades)


@dataclass(frozen=True)
class SearchResult:
    """NDCG@10 by query: (q,) of the blend that has not seen the query's judgements, and of lexical search alone."""

    fused: Doubles
    lexical: Doubles | None


def judge_search(engine: Engine, judged: JudgedQueries, fusion: Path) -> SearchResult:
    """Rank every query's judged items.

    Args:
        engine: the release's engine.
        judged: the queries.
        fusion: holds `search_oof.json`, by query the blend fitted without it; a query it does not name is ranked by
            the release's own blend, which then has not learned from judgements.
    """
    path = fusion / OUT_OF_FOLD
    blends = {query: Blend(**values) for query, values in (read_json(path) if path.exists() else {}).items()}
    lexical = next((name for name, member in engine.members.items() if member.kind == LEXICAL), None)
    fused, alone = np.empty(len(judged.texts)), np.empty(len(judged.texts))
    for start in range(0, len(judged.texts), BATCH):
        rows = list(range(start, min(start + BATCH, len(judged.texts))))
        pool = _pool(engine, judged, rows)
        for row in rows:
            blend = blends.get(judged.texts[row]) or engine.fusion.blend(SEARCH)  # type: ignore[union-attr]
            fused[row] = _ndcg(_ranked(_one(pool, row - start), blend), judged, row)
        if lexical is not None:
            scores = pool.scores[:, :, pool.members.index(lexical)]
            alone[rows] = [_ndcg(_alone(scores[row - start], judged.items[row]), judged, row) for row in rows]
    return SearchResult(fused, None if lexical is None else alone)


def _pool(engine: Engine, judged: JudgedQueries, rows: list[int]) -> Pool:
    nobody = UserStates.from_items([[] for _ in rows], engine.as_of)
    queries = engine.queries(SEARCH, nobody, tuple(judged.texts[row] for row in rows))
    return engine.score_items(queries, judged.items[rows])


def _one(pool: Pool, row: int) -> Pool:
    """One query's own pool, without the padding that other queries cause."""
    wide = int((pool.candidates[row] != PAD).sum())
    here = (slice(row, row + 1), slice(wide))
    context = None if pool.context is None else pool.context[here]
    return Pool(pool.candidates[here], pool.scores[here], pool.members, {}, context)


def _ranked(pool: Pool, blend: Blend) -> Ints:
    best: Ints = rank_with(pool, blend, K).items[0]
    return best


def _alone(scores: Floats, items: Ints) -> Ints:
    """One member's order; what it does not score comes last, by catalogue row."""
    keyed = np.where(items == PAD, -np.inf, np.where(np.isnan(scores), NOT_SCORED, scores)).astype(np.float32)
    order = top_k(keyed[None], K)[0]
    return np.where(order == PAD, PAD, items[np.maximum(order, 0)])


def _ndcg(ranked: Ints, judged: JudgedQueries, row: int) -> float:
    grade = dict(zip(judged.items[row].tolist(), judged.grades[row].tolist(), strict=True))
    listed = np.array([[0.0 if item == PAD else grade[item] for item in ranked.tolist()]])
    return float(graded_ndcg(listed, judged.grades[row : row + 1], K)[0])
