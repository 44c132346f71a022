"""The stacker: what a linear blend cannot say, LightGBM's own answers, honest starts, absent members."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from taught_lists import worth

from components.fuse.fit import fit_task
from components.fuse.lists import Contexts, FitSet, Lists
from components.fuse.methods import softmax_free
from components.fuse.options import Options
from components.fuse.second_level import DEPTH, SecondLevel, Start
from components.fuse.stacker import SHAPES, _learn, _model, columns_used, stacker
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.states import UserStates
from serving.trees import Trees

NAMES = ("als", "text", "tfidf")  # the last one is noise
LINEAR = partial(softmax_free, kind="softmax_free")
ITEMS = 60


def shop(n: int = 500, c: int = 30, seed: int = 0) -> FitSet:
    """Users with a history want what `als` says, users without one what `text` says."""
    random = np.random.default_rng(seed)
    sizes = np.where(np.arange(n) % 2 == 0, 8, 0)
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    items = random.integers(0, ITEMS, indptr[-1]).astype(np.int32)
    times = np.arange(indptr[-1], dtype=np.int64)
    states = UserStates(("",) * n, indptr, items, times, times, np.ones(len(items), np.float32), np.full(n, 10**9))
    frame = {"category": [""] * ITEMS, "brand": [""] * ITEMS, "price_norm": np.zeros(ITEMS, np.float32)}
    reader = ContextReader(Catalogue(pd.DataFrame(frame)), True)
    scores = random.normal(size=(n, c, 3)).astype(np.float32)
    taste = np.where(sizes[:, None] > 0, scores[:, :, 0], scores[:, :, 1]) + 0.3 * random.normal(size=(n, c))
    labels = np.zeros((n, c), np.float32)
    np.put_along_axis(labels, np.argsort(-taste, axis=1)[:, :3], 1, axis=1)
    candidates = np.tile(np.arange(c, dtype=np.int32), (n, 1))
    contexts = Contexts(reader, states, candidates)
    return FitSet(NAMES, scores, np.ones((n, c), bool), labels, np.full(n, 3), np.arange(n), contexts)


@pytest.fixture(scope="module")
def lists() -> Lists:
    return Lists.of([shop()], 10**6, 0)


def test_trees_learn_whom_to_believe_where_a_linear_blend_cannot(lists: Lists) -> None:
    fresh = shop(seed=1)
    linear, stacked = LINEAR(lists), stacker(lists, Start(LINEAR, 0), "stacker", SHAPES["stacker"], 1, 0)
    assert worth(stacked, fresh) > 1.1 * worth(linear, fresh)
    assert stacked.weights == linear.weights
    assert "history" in list(columns_used(stacked.trees))[:6]  # type: ignore[arg-type]


def test_the_trees_say_what_lightgbm_says(lists: Lists) -> None:
    second = SecondLevel.each(lists, [LINEAR], DEPTH, 0)[0]
    columns = second.columns.reshape(-1, second.columns.shape[2])
    theirs = _model(second, SHAPES["stacker"], 0).predict(columns.astype(np.float64), raw_score=True)
    trees = Trees(members=NAMES, trees=tuple(_learn(second, SHAPES["stacker"], 1, 0)))
    ours = trees.flat.attribute(columns).sum(axis=1)
    offset = theirs - ours  # the roots' values: the same for every candidate
    np.testing.assert_allclose(offset, offset[0], atol=1e-4)
    assert np.ptp(theirs) > 0.5


def test_the_same_seed_gives_the_same_trees_and_another_seed_others(lists: Lists) -> None:
    first, again, other = (
        stacker(lists, Start(LINEAR, 0), "stacker_firm", SHAPES["stacker_firm"], 1, seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_too_few_lists_leave_the_linear_blend_alone(lists: Lists) -> None:
    few = lists.take(np.arange(20))
    assert stacker(few, Start(LINEAR, 0), "stacker", SHAPES["stacker"], 3, 0).trees is None


def test_the_stacker_wins_its_trial_and_is_fitted_again_for_each_absent_member() -> None:
    fusion, report = fit_task([shop(900)], {"als": "cf"}, Options(seeds=2, only=("softmax_head", *SHAPES)))
    assert fusion.chosen in SHAPES
    assert set(report["methods"]) >= {*SHAPES, "softmax_head"}
    served = fusion.methods[fusion.chosen]
    assert served.trees is not None
    assert len(served.trees.trees) == 2 * SHAPES[fusion.chosen].rounds
    assert set(served.without) == set(NAMES)
    assert served.without["text"].members == ("als", "tfidf")
    fresh = shop(seed=5).of(("als", "tfidf"))
    assert worth(served, fresh) > 0.95 * worth(softmax_free(Lists.of([fresh], 10**6, 0), "softmax_free"), fresh)


def test_without_context_nothing_that_reads_it_competes() -> None:
    fit = shop(900)
    blind = FitSet(fit.members, fit.scores, fit.valid, fit.labels, fit.n_relevant, fit.groups)
    fusion, _ = fit_task([blind], {})
    assert not set(fusion.methods) & set(SHAPES)
