import numpy as np
import pytest

from components.evaluate.bootstrap import paired


def test_the_value_is_the_plain_difference_and_ratio_of_means() -> None:
    found = paired(np.array([1.0, 0.5, 0.0]), np.array([0.5, 0.5, 0.0]), seed=1)
    assert found is not None
    assert found.relative is not None
    assert found.difference.value == pytest.approx(0.5 / 3)
    assert found.relative.value == pytest.approx(1.5 / 1.0 - 1)
    assert found.difference.low <= found.difference.value <= found.difference.high


def test_a_constant_difference_has_no_width() -> None:
    base = np.linspace(0, 1, 50)
    found = paired(base + 0.25, base, seed=3)
    assert found is not None
    assert found.difference == pytest.approx((0.25, 0.25, 0.25))


def test_the_interval_agrees_with_the_central_limit() -> None:
    draw = np.random.default_rng(5)
    base, change = draw.random(4_000), draw.normal(0.02, 0.5, 4_000)
    found = paired(base + change, base, seed=0)
    assert found is not None
    width = 1.96 * change.std() / np.sqrt(4_000)
    assert found.difference.low == pytest.approx(change.mean() - width, abs=0.0025)
    assert found.difference.high == pytest.approx(change.mean() + width, abs=0.0025)


def test_the_seed_decides() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.random(100), draw.random(100)
    assert paired(one, other, seed=1) == paired(one, other, seed=1)
    assert paired(one, other, seed=1) != paired(one, other, seed=2)


def test_users_without_a_value_on_either_side_are_left_out() -> None:
    found = paired(np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, np.nan]), seed=0)
    assert found is not None
    assert found.difference == (0, 0, 0)


def test_nobody_and_a_champion_of_zero() -> None:
    assert paired(np.array([np.nan]), np.array([1.0]), seed=0) is None
    found = paired(np.array([1.0]), np.array([0.0]), seed=0)
    assert found is not None
    assert found.relative is None


def test_draws_in_which_the_champion_has_nothing_do_not_count_towards_the_ratio() -> None:
    found = paired(np.array([0.0, 0.5, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]), seed=0)
    assert found is not None
    assert found.relative is not None
    assert np.isfinite(found.relative).all()
    assert found.relative.value == pytest.approx(0.5)
