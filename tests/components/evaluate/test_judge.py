"""The parts of judging that a perfect planted answer cannot tell apart."""

import numpy as np
import pandas as pd
import pytest
from evaluated_run import Run
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.made_shop import AS_OF, made_engine, made_users
from components.common import columns as c
from components.common.ranking import discounts
from components.evaluate.judge import _pool_auc, _ranked, _wide, confusion
from components.evaluate.judged_search import JudgedQueries, judge_search
from components.evaluate.metrics import auc, eligible
from components.evaluate.relevance import Relevance
from serving.engine import Engine
from serving.queries import DISCOVERY, RECOMMEND

N, ITEMS = 4, 9


@given(seed=st.integers(0, 10_000), recalled=st.integers(1, ITEMS))
def test_the_auc_of_a_pool_is_that_of_the_catalogue_with_the_rest_unscored(seed: int, recalled: int) -> None:
    draw = np.random.default_rng(seed)
    rows, items = np.nonzero(draw.random((N, ITEMS)) < 0.4)
    truth = Relevance(np.arange(N), rows, items.astype(np.int32), ITEMS)
    full = np.full((N, ITEMS), np.nan, np.float32)
    full[:, 0] = -np.inf  # may not be shown
    ranked = np.full((N, recalled), -1, np.int32)
    scores = np.full((N, recalled), -np.inf, np.float32)
    for row in range(N):
        chosen = draw.permutation(np.arange(1, ITEMS))[: min(recalled, int(draw.integers(1, ITEMS)))]
        values = np.sort(draw.integers(0, 4, len(chosen)))[::-1].astype(np.float32)
        ranked[row, : len(chosen)], scores[row, : len(chosen)] = chosen, values
        full[row, chosen] = values
    found = _pool_auc(ranked, scores, truth, eligible(full, rows, items.astype(np.int32)))
    np.testing.assert_allclose(found, auc(full, rows, items.astype(np.int32)), atol=1e-12)


def test_a_blend_is_judged_by_the_order_that_it_would_serve() -> None:
    engine, states = made_engine(2_000), made_users(2_000, 12).users
    states.as_of[:] = AS_OF
    pool = engine.pool(engine.queries(RECOMMEND, states), DISCOVERY)
    best, items, scores = _ranked(engine, pool, DISCOVERY, "made", 10)
    whole = engine.rank(pool, DISCOVERY, pool.candidates.shape[1], "made")
    np.testing.assert_array_equal(best.items[:, :10], whole.items[:, :10])
    for row in range(len(states)):
        told = dict(zip(items[row].tolist(), scores[row].tolist(), strict=True))
        listed = [item for item in whole.items[row].tolist() if item >= 0]
        np.testing.assert_allclose([told[item] for item in listed], whole.scores[row, : len(listed)], atol=1e-4)


def test_a_kept_list_keeps_no_longer_one_alive() -> None:
    pool = np.arange(2 * 450, dtype=np.int32).reshape(2, 450)
    kept = _wide(pool[:, :20])
    assert not np.shares_memory(kept, pool)
    np.testing.assert_array_equal(kept, pool[:, :20])
    assert _wide(pool[:, :3], 5).tolist() == [[0, 1, 2, -1, -1], [450, 451, 452, -1, -1]]


def test_grades_weigh_what_is_found(run: Run) -> None:
    engine = Engine.load(run.root / "release")
    # the words match group 2 (rows 2, 5) and not group 0: the grade-1 match comes before the grade-3 stranger
    table = pd.DataFrame(
        [("violin strings", "i02", 1), ("violin strings", "i00", 3)], columns=[c.QUERY, c.ITEM_ID, c.GRADE]
    )
    found = judge_search(engine, JudgedQueries.of(table, engine.catalogue), run.root / "fusion")
    second = discounts(2)[1]
    expected = (1 + 7 * second) / (7 + 1 * second)
    assert found.lexical == pytest.approx([expected])


def test_of_repeated_judgements_the_highest_counts_and_unknown_items_are_left_out(run: Run) -> None:
    engine = Engine.load(run.root / "release")
    rows = [("q", "i03", 1), ("q", "i03", 2), ("q", "i01", 0), ("q", "?", 3), ("nothing", "i00", 0)]
    judged = JudgedQueries.of(pd.DataFrame(rows, columns=[c.QUERY, c.ITEM_ID, c.GRADE]), engine.catalogue)
    assert judged.texts == ("q",)
    assert judged.items.tolist() == [[1, 3]]
    assert judged.grades.tolist() == [[0, 2]]


def test_pairs_of_user_and_item_are_counted_by_hand() -> None:
    """Of five items one user is shown 0 and 1 and takes 1 and 4, the other is shown 2 alone and takes it."""
    truth = Relevance(np.arange(2), np.array([0, 0, 1]), np.array([1, 4, 2], np.int32), 5)
    assert confusion(np.array([[0, 1], [2, -1]], np.int32), truth) == [[6, 1], [1, 2]]
