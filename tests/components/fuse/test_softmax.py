"""Listwise weights: planted answers, the simplex, determinism, the loss by hand."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from components.fuse.softmax import Listwise, fit_free, fit_simplex


def lists(planted: np.ndarray, n: int = 400, c: int = 12, seed: int = 0) -> Listwise:
    """Each list's relevant item is drawn by a softmax of the planted weights: those weights are the likeliest."""
    random = np.random.default_rng(seed)
    x = random.random((n, c, len(planted)))
    scores = x @ planted + random.gumbel(size=(n, c))
    relevant = np.eye(c)[scores.argmax(axis=1)]
    return Listwise.of(x, relevant, np.ones((n, c), bool))


def test_loss_by_hand() -> None:
    one = Listwise.of(np.array([[[1.0], [0.0], [5.0]]]), np.array([[1.0, 1.0, 0.0]]), np.array([[True, True, False]]))
    found, _ = one.loss(np.array([2.0]))
    assert found == pytest.approx(np.log(np.exp(2) + 1) - 1)


def test_gradient_is_that_of_the_loss() -> None:
    some = lists(np.array([2.0, -1.0]), n=30)
    at = np.array([0.7, -0.3])
    assert check_grad(lambda w: some.loss(w)[0], lambda w: some.loss(w)[1], at, epsilon=1e-3) < 1e-3


def test_free_weights_find_what_was_planted_signs_included() -> None:
    planted = np.array([6.0, -4.0, 0.0])
    assert fit_free(lists(planted, n=1500), l2=0.0) == pytest.approx(planted, abs=0.6)


def test_simplex_weights_sum_to_one_and_find_the_shares_and_the_temperature() -> None:
    weights, temperature = fit_simplex(lists(np.array([9.0, 3.0, 0.0]), n=1500))
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= 0
    assert weights == pytest.approx([0.75, 0.25, 0.0], abs=0.05)
    assert temperature == pytest.approx(12.0, abs=1.5)


def test_a_harmful_member_gets_nothing_on_the_simplex() -> None:
    weights, _ = fit_simplex(lists(np.array([8.0, -8.0])))
    assert weights == pytest.approx([1.0, 0.0], abs=1e-3)


def test_the_same_lists_give_the_same_weights() -> None:
    some = lists(np.array([5.0, 2.0]))
    np.testing.assert_array_equal(fit_free(some), fit_free(some))
    np.testing.assert_array_equal(fit_simplex(some)[0], fit_simplex(some)[0])


def test_members_in_another_order_get_the_same_weights() -> None:
    some = lists(np.array([5.0, 2.0, 1.0]))
    turned = Listwise(some.x[:, [2, 0, 1]], some.share, some.bar)
    assert fit_simplex(turned)[0] == pytest.approx(fit_simplex(some)[0][[2, 0, 1]], abs=5e-3)


def test_padding_has_no_say() -> None:
    some = lists(np.array([5.0, 2.0]), n=50)
    wide = np.concatenate([some.x.reshape(50, 12, 2), np.full((50, 3, 2), 9.0)], axis=1)
    relevance = np.concatenate([some.share, np.ones((50, 3))], axis=1)
    valid = np.concatenate([np.ones((50, 12), bool), np.zeros((50, 3), bool)], axis=1)
    assert fit_free(Listwise.of(wide, relevance, valid)) == pytest.approx(fit_free(some), abs=1e-4)
