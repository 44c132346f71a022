"""The engine's short ways against the long one: every score, feature and part of every candidate, then a sort."""

import numpy as np
import pytest

from benchmarks.made_shop import AS_OF, MadeUsers, made_engine, made_users
from serving.arrays import PAD
from serving.engine import Engine
from serving.instances import parse
from serving.queries import RECOMMEND, SIMILAR
from serving.states import UserStates
from serving.verdict import apply

ITEMS, USERS, K = 2_500, 16, 12


@pytest.fixture(scope="module")
def engine() -> Engine:
    return made_engine(ITEMS)


@pytest.fixture(scope="module")
def port() -> MadeUsers:
    return made_users(ITEMS, USERS)


def the_long_way(engine: Engine, scenario: str, states: UserStates, k: int) -> tuple[list[int], np.ndarray]:
    """Catalogue rows and parts of the *k* best for one user, by sorting whole lists."""
    task = engine.task(scenario)
    queries = engine.queries(scenario, states)
    rows = engine.full_scores(queries, task)
    found: set[int] = set()
    for scores in rows.values():
        keyed = np.where(np.isnan(scores[0]), -np.inf, scores[0])
        best = np.argsort(-keyed, kind="stable")[:100]
        found |= set(best[keyed[best] > -np.inf].tolist())
    candidates = np.array(sorted(found), dtype=np.int32)
    assert engine.fusion is not None
    pool = engine.pool_of(queries, rows, task)
    np.testing.assert_array_equal(pool.candidates[0], candidates)
    parts = apply(engine.fusion.blend(task), pool.evidence)[0]
    popular = pool.scores[0, :, pool.members.index("popularity")]
    total = parts.sum(axis=1, dtype=np.float64).astype(np.float32)
    order = np.lexsort((candidates, -popular, -total))[:k]
    return candidates[order].tolist(), parts[order]


@pytest.mark.parametrize("user", range(0, USERS, 3))
def test_a_recommendation_is_what_the_long_way_gives(engine: Engine, port: MadeUsers, user: int) -> None:
    states = port.states([str(user)], AS_OF)
    rows, parts = the_long_way(engine, RECOMMEND, states, K)
    asked = parse({"scenario": RECOMMEND, "user_id": str(user), "k": K, "explain": True})
    items = engine.answer([asked], port, AS_OF)[0]["items"]
    assert [item["item_id"] for item in items] == [engine.catalogue.ids[row] for row in rows]
    np.testing.assert_allclose([item["score"] for item in items], parts.sum(axis=1, dtype=np.float64), atol=1e-6)
    names = (*engine.members, "context")
    told = [[item["why"].get(name, 0.0) for name in names] for item in items]
    np.testing.assert_allclose(told, parts, atol=1e-6)


@pytest.mark.parametrize("item", [0, 7, 2_000])
def test_so_are_similar_items(engine: Engine, item: int) -> None:
    rows, parts = the_long_way(engine, SIMILAR, UserStates.from_items([[item]], AS_OF), K)
    asked = parse({"scenario": SIMILAR, "item_id": engine.catalogue.ids[item], "k": K})
    items = engine.answer([asked], None, AS_OF)[0]["items"]
    assert [item["item_id"] for item in items] == [engine.catalogue.ids[row] for row in rows]
    np.testing.assert_allclose([item["score"] for item in items], parts.sum(axis=1, dtype=np.float64), atol=1e-6)


def test_what_is_asked_beyond_the_candidates_is_padding(engine: Engine, port: MadeUsers) -> None:
    pool = engine.pool(engine.queries(RECOMMEND, port.states(["0", "1"], AS_OF)), engine.task(RECOMMEND), recall=3)
    ranking = engine.rank(pool, engine.task(RECOMMEND), 200)
    assert ranking.items.shape == pool.candidates.shape
    np.testing.assert_array_equal(np.sort(ranking.items, axis=1), np.sort(pool.candidates, axis=1))
    assert ((ranking.items == PAD) == ~np.isfinite(ranking.scores)).all()
