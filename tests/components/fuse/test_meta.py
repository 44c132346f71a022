"""Meta-learned weights: steps by hand, exact second order, planted tastes that a few steps from the start reach."""

import numpy as np
import pytest
from gated_lists import MIDDLE, contributions, lists_of, ndcg, planted
from scipy.optimize import check_grad

from components.fuse.meta import (
    FEWEST_LISTS,
    INNER_STEPS,
    Start,
    Task,
    adapt,
    curved,
    learn_start,
    meta,
    meta_loss,
    segments,
)
from components.fuse.methods import softmax, softmax_free
from components.fuse.softmax import Listwise, fit_free
from serving.context import CONTEXT

BASE = np.array([6.0, 3.0, 3.0, 0.0])
TASTE = np.array([0.0, 3.0, -3.0, 0.0])  # segments differ in which of two members they go by


def drawn(weights: np.ndarray, n: int, seed: int) -> Listwise:
    """Each list's relevant item is drawn by a softmax of *weights*."""
    random = np.random.default_rng(seed)
    x = random.random((n, 12, len(weights)))
    relevant = np.eye(12)[((x @ weights) + random.gumbel(size=(n, 12))).argmax(axis=1)]
    return Listwise.of(x, relevant, np.ones((n, 12), bool))


def task_of(sign: float, seed: int, n: int = 150) -> Task:
    weights = BASE + sign * TASTE
    return Task(drawn(weights, n, seed), drawn(weights, 400, seed + 1000))


def pooled(tasks: list[Task]) -> np.ndarray:
    parts = [task.support for task in tasks]
    return fit_free(Listwise(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "share", "bar"))))


def test_a_step_by_hand() -> None:
    one = Listwise.of(np.array([[[1.0], [0.0]]]), np.array([[1.0, 0.0]]), np.ones((1, 2), bool))
    before = np.zeros(1)
    assert adapt(before, one, 1, 2.0) == pytest.approx([2.0 * 0.5])
    second = 1.0 + 2.0 * (1 - 1 / (1 + np.exp(-1.0)))
    assert adapt(before, one, 2, 2.0) == pytest.approx([second])
    assert adapt(before, one, 0, 2.0) is before
    assert before == pytest.approx([0.0])


def test_the_hessian_is_that_of_the_loss() -> None:
    lists, at, along = drawn(BASE, 40, 0), np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.3, 1.0, -1.0, 0.2])
    apart = (lists.loss(at + 0.05 * along)[1] - lists.loss(at - 0.05 * along)[1]) / 0.1
    assert curved(lists, at, along) == pytest.approx(apart, abs=1e-4)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_second_order_gradient_is_exact_through_all_steps(steps: int) -> None:
    task, at = task_of(1.0, 0, n=40), np.concatenate([BASE, np.log([8.0, 4.0, 12.0, 6.0])])

    def value(flat: np.ndarray) -> float:
        return meta_loss(task, Start(flat[:4], np.exp(flat[4:])), steps)[0]

    def slope(flat: np.ndarray) -> np.ndarray:
        return meta_loss(task, Start(flat[:4], np.exp(flat[4:])), steps)[1]

    assert check_grad(value, slope, at, epsilon=1e-2) < 2e-3
    first = meta_loss(task, Start(at[:4], np.exp(at[4:])), steps, order=1)[1]
    assert np.allclose(first, slope(at)) == (steps == 0)


@pytest.mark.parametrize("order", [1, 2])
def test_a_few_steps_from_the_learned_start_beat_as_many_from_the_pooled_weights(order: int) -> None:
    tasks = [task_of(sign, seed) for seed, sign in enumerate([1.0, -1.0, 0.8, -0.8, 1.2, -1.2])]
    static = pooled(tasks)
    start = learn_start(tasks, Start(static, np.ones(4)), order=order)
    for sign, seed in ((1.0, 70), (-1.0, 80), (0.6, 90)):
        new = task_of(sign, seed, n=30)
        ours = new.query.loss(adapt(start.weights, new.support, INNER_STEPS, start.rate))[0]
        assert ours < new.query.loss(static)[0] - 0.02
        for rate in (0.3, 1.0):
            assert ours < new.query.loss(adapt(static, new.support, INNER_STEPS, rate))[0] - 0.01


def test_where_segments_do_not_differ_the_start_is_no_worse_than_the_pooled_weights() -> None:
    tasks = [task_of(0.0, seed) for seed in range(6)]
    static = pooled(tasks)
    start = learn_start(tasks, Start(static, np.ones(4)))
    new = task_of(0.0, 70)
    ours = new.query.loss(adapt(start.weights, new.support, INNER_STEPS, start.rate))[0]
    assert ours < new.query.loss(static)[0] + 0.02


def test_segments_by_hand() -> None:
    edges, segment = segments(np.repeat(np.arange(4.0, dtype=np.float32), FEWEST_LISTS))
    assert edges.tolist() == [1.0, 2.0, 3.0]
    assert np.bincount(segment).tolist() == [FEWEST_LISTS] * 4
    edges, segment = segments(np.zeros(500, dtype=np.float32))
    assert not len(edges)
    assert not segment.any()
    assert not len(segments(np.arange(2 * FEWEST_LISTS - 1, dtype=np.float32))[0])


def test_on_planted_segments_it_beats_every_static_blend_on_fresh_lists() -> None:
    teaching, fresh = planted(n=600), planted(seed=1)
    static = max(ndcg(softmax(teaching), fresh), ndcg(softmax_free(teaching, "softmax_free"), fresh))
    blend = meta(teaching, seed=0)
    assert ndcg(blend, fresh) > 1.1 * static
    assert meta(teaching, seed=0) == blend


def test_every_user_gets_the_weights_of_the_own_segment() -> None:
    lists = planted(n=240)
    blend = meta(lists, seed=0)
    assert blend.gate is not None
    edges, segment = segments(lists.context[:, 0, 0])
    assert len(edges) == len(blend.gate.out) == 3
    extra = blend.gate.extra(lists.context)
    for number in range(4):
        own = extra[segment == number].reshape(-1, *extra.shape[2:])
        assert np.abs(own - own[0]).max() == 0
    trusted = [(blend.table + extra[segment == number][0, 0])[:2, 0] for number in range(4)]
    assert [int(weights.argmax()) for weights in trusted] == [1, 1, 0, 0]
    assert edges[1] == pytest.approx(MIDDLE, abs=0.3)


def test_users_without_a_history_are_one_segment_and_need_no_gate() -> None:
    lists = planted(n=150)
    same = lists_of(lists.scores, lists.gain, np.zeros((*lists.gain.shape, len(CONTEXT)), np.float32), moments=False)
    blend = meta(same, seed=0)
    assert blend.gate is None
    assert ndcg(blend, same) > ndcg(softmax_free(same, "softmax_free"), same) - 0.01


def test_the_order_of_lists_does_not_matter() -> None:
    lists, fresh = planted(n=240), planted(n=100, seed=1)
    turned = meta(lists.take(np.arange(240)[::-1]), seed=0)
    np.testing.assert_allclose(contributions(turned, fresh), contributions(meta(lists, seed=0), fresh), atol=0.3)
