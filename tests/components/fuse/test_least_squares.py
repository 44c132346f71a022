"""Least squares: two solvers, one answer, under every constraint and penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.fuse.least_squares import Constraint, Moments, descend, onto_simplex, solve

CONSTRAINTS: tuple[Constraint, ...] = ("free", "non_negative", "simplex")


def problem(seed: int, k: int = 4, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    outputs = random.random((n, k))
    return outputs, outputs @ random.normal(size=k) + 0.1 * random.normal(size=n)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_planted_weights_come_back(constraint: Constraint) -> None:
    outputs, _ = problem(0)
    planted = np.array([0.5, 0.3, 0.2, 0.0])
    moments = Moments.of(outputs, outputs @ planted)
    assert solve(moments, constraint) == pytest.approx(planted, abs=1e-7)
    assert moments.error(planted) == pytest.approx(0, abs=1e-12)


def test_free_weights_equal_numpy() -> None:
    outputs, target = problem(1)
    assert solve(Moments.of(outputs, target)) == pytest.approx(np.linalg.lstsq(outputs, target, rcond=None)[0])


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@given(seed=st.integers(0, 10_000), l1=st.sampled_from([0.0, 0.01, 0.2]), l2=st.sampled_from([0.0, 0.05]))
@settings(max_examples=15, deadline=None)
def test_gradient_descent_finds_the_closed_form(constraint: Constraint, seed: int, l1: float, l2: float) -> None:
    moments = Moments.of(*problem(seed))
    exact, descended = solve(moments, constraint, l1, l2), descend(moments, constraint, l1, l2)
    assert descended == pytest.approx(exact, abs=1e-6)
    if constraint != "free":
        assert exact.min() >= 0
    if constraint == "simplex":
        assert exact.sum() == pytest.approx(1.0)


@given(seed=st.integers(0, 10_000), constraint=st.sampled_from(CONSTRAINTS))
@settings(max_examples=20, deadline=None)
def test_no_other_allowed_weights_are_better(seed: int, constraint: Constraint) -> None:
    moments = Moments.of(*problem(seed))
    best = moments.error(solve(moments, constraint))
    for other in np.random.default_rng(seed).normal(size=(50, 4)):
        allowed = {"free": other, "non_negative": np.abs(other), "simplex": onto_simplex(other)}[constraint]
        assert best <= moments.error(allowed) + 1e-12


@given(seed=st.integers(0, 1000), order=st.permutations(range(4)), constraint=st.sampled_from(CONSTRAINTS))
@settings(max_examples=20, deadline=None)
def test_members_in_another_order_get_the_same_weights(seed: int, order: list[int], constraint: Constraint) -> None:
    outputs, target = problem(seed)
    first, second = (solve(Moments.of(x, target), constraint) for x in (outputs, outputs[:, order]))
    assert second == pytest.approx(first[order], abs=1e-8)


def test_l1_gives_zeros_and_l2_shrinks() -> None:
    moments = Moments.of(*problem(3))
    assert (solve(moments, l1=10.0) == 0).all()
    some = solve(moments, l1=0.1)
    assert 0 < (some == 0).sum() < 4
    assert np.linalg.norm(solve(moments, l2=1.0)) < np.linalg.norm(solve(moments))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_twin_members_and_a_silent_one_are_no_trouble(constraint: Constraint) -> None:
    outputs, target = problem(4)
    outputs[:, 1], outputs[:, 2] = outputs[:, 0], 0.0
    moments = Moments.of(outputs, target)
    exact = solve(moments, constraint, l2=1e-6)
    assert np.isfinite(exact).all()
    assert moments.error(descend(moments, constraint, l2=1e-6)) == pytest.approx(moments.error(exact), abs=1e-4)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8))
def test_projection_lands_on_the_simplex_and_leaves_its_points_alone(values: list[float]) -> None:
    point = onto_simplex(np.array(values))
    assert point.min() >= 0
    assert point.sum() == pytest.approx(1.0)
    assert onto_simplex(point) == pytest.approx(point)
