"""The context-gated blend: planted segments, exact gradients, honest stopping, what it falls back to."""

import numpy as np
import pytest
from gated_lists import MIDDLE, contributions, lists_of, ndcg, planted
from scipy.optimize import check_grad

from components.fuse.heads import Heads, softmax_head, varying
from components.fuse.lists import USED
from components.fuse.methods import softmax, softmax_free
from components.fuse.network import FEWEST_GROUPS, MOST_LISTS, UNITS, Gated, Net, _drawn, fit, fold_of, network
from serving.calibration import VALUE
from serving.context import CONTEXT
from serving.gate import Gate
from serving.verdict import apply

TEACHING, FRESH = planted(), planted(seed=1)
BLEND = network(TEACHING, seed=0)


def test_where_the_best_member_depends_on_the_history_it_beats_every_static_blend() -> None:
    static = max(ndcg(softmax(TEACHING), FRESH), ndcg(softmax_free(TEACHING, "softmax_free"), FRESH))
    assert ndcg(BLEND, FRESH) > 1.1 * static


def test_it_trusts_each_member_where_it_knows() -> None:
    assert BLEND.gate is not None
    context = np.zeros((1, 2, len(CONTEXT)), dtype=np.float32)
    context[0, :, 0] = 0.0, 2 * MIDDLE
    short, long = (BLEND.table + BLEND.gate.extra(context)[0])[:, :, VALUE]
    assert short[1] > 2 * abs(short[0])
    assert long[0] > 2 * abs(long[1])
    assert abs(short[2]) < 0.3 * short[1]


def test_contributions_sum_to_the_score_of_the_net_itself() -> None:
    parts = contributions(BLEND, FRESH)
    assert parts.shape == FRESH.scores.shape
    assert BLEND.gate is not None
    weights = BLEND.table[:, list(USED)] + BLEND.gate.extra(FRESH.context)[..., list(USED)]
    np.testing.assert_allclose(parts.sum(axis=2), (FRESH.x * weights).sum(axis=(2, 3)), rtol=1e-5, atol=1e-5)


def test_a_context_that_says_nothing_does_no_harm() -> None:
    same = planted(apart=0.4)
    static = softmax_free(same, "softmax_free")
    fresh = planted(seed=1, apart=0.4)
    assert ndcg(network(same, seed=0), fresh) > ndcg(static, fresh) - 0.01


def test_without_a_context_or_with_few_groups_it_is_the_static_blend() -> None:
    blind = lists_of(TEACHING.scores, TEACHING.gain, np.zeros_like(TEACHING.context), moments=False)
    few = TEACHING.take(np.arange(FEWEST_GROUPS - 1))
    for lists in (blind, few):
        found = network(lists, seed=0)
        assert found.gate is None
        assert found.weights == softmax_head(lists).weights


def test_it_starts_as_the_static_blend_and_its_gradient_is_exact() -> None:
    lists = planted(n=12, c=8)
    static = np.linspace(-1, 2, 12)
    problem = Gated.of(Heads.of(lists, static), static, *varying(lists))
    start = Net.start(12, 2, seed=0)
    assert start.inner.shape == (UNITS, 3)
    silent = Net(start.move, np.zeros_like(start.inner), start.out)
    assert problem.loss(start)[0] == problem.loss(silent)[0]
    point = start.flat + np.random.default_rng(0).normal(size=len(start.flat)) * 0.3

    def value(flat: np.ndarray) -> float:
        return problem.loss(start.like(flat))[0]

    assert check_grad(value, lambda flat: problem.loss(start.like(flat))[1], point, epsilon=3e-3) < 2e-2


def test_it_stops_where_held_out_lists_no_longer_gain() -> None:
    static = np.tile([5.0, 0.0, 0.0, 0.0], 3)
    inputs = varying(TEACHING)
    few, held = (Gated.of(Heads.of(lists, static), static, *inputs) for lists in (TEACHING.take(np.arange(25)), FRESH))
    start = Net.start(12, 2, seed=0)
    found = fit(few, held, start)
    assert held.loss(found)[0] <= held.loss(start)[0]
    opposite = Gated(held.x, held.z, held.base, held.share[:, ::-1].copy(), held.bar)
    assert opposite.loss(fit(few, opposite, start))[0] <= opposite.loss(start)[0]


def test_a_group_is_never_divided_between_folds() -> None:
    fold = fold_of(np.arange(200) // 2, 5, seed=0)
    assert fold is not None
    assert (fold[::2] == fold[1::2]).all()
    assert set(np.bincount(fold)) == {40}


def test_the_same_lists_and_seed_give_the_same_blend_and_their_order_does_not_matter() -> None:
    assert network(TEACHING, seed=0) == BLEND
    order = np.random.default_rng(0).permutation(len(TEACHING))
    turned = network(TEACHING.take(order), seed=0)
    assert ndcg(turned, FRESH) == pytest.approx(ndcg(BLEND, FRESH), abs=0.005)


def test_serving_adds_up_what_was_learned() -> None:
    parts = apply(BLEND, FRESH.evidence())
    np.testing.assert_allclose(parts[..., :-1], contributions(BLEND, FRESH), rtol=1e-4, atol=1e-4)
    assert not parts[..., -1].any()


def test_a_gate_that_says_nothing_leaves_the_static_blend() -> None:
    assert BLEND.gate is not None
    silent = Gate(**BLEND.gate.model_dump() | {"out": [[0.0] * len(row) for row in BLEND.gate.out]})
    static = BLEND.model_copy(update={"gate": None})
    quiet = BLEND.model_copy(update={"gate": silent})
    np.testing.assert_array_equal(apply(quiet, FRESH.evidence()), apply(static, FRESH.evidence()))


def test_past_the_most_lists_each_net_draws_its_own() -> None:
    wanted = np.arange(3 * MOST_LISTS) % 3 != 0
    one, again, other = _drawn(wanted, 0), _drawn(wanted, 0), _drawn(wanted, 1)
    assert len(set(one.tolist())) == MOST_LISTS
    assert wanted[one].all()
    assert one.tolist() == again.tolist() == sorted(again.tolist()) != other.tolist()
    assert len(_drawn(wanted[:9], 0)) == 6
