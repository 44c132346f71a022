import numpy as np
import pytest

from components.evaluate.bootstrap import all_paired, paired


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


def test_several_challengers_are_judged_on_one_draw_as_each_alone() -> None:
    draw = np.random.default_rng(0)
    base, one, other = draw.random((3, 200))
    found = all_paired({"one": one, "other": other}, base, seed=4)
    for name, values in (("one", one), ("other", other)):
        alone = paired(values, base, seed=4)
        assert alone is not None
        np.testing.assert_allclose(found[name].difference, alone.difference, rtol=1e-12)
    with_gap = np.where(np.arange(200) == 3, np.nan, other)
    assert all_paired({"one": one, "other": with_gap}, base, seed=4)["one"].pairs == 199
    assert all_paired({"one": one * np.nan}, base, seed=4) == {}


def test_the_interval_is_that_of_means_of_users_drawn_again() -> None:
    draw = np.random.default_rng(7)
    ours, theirs = draw.random((2, 40))
    rows = np.random.default_rng(9).integers(40, size=(300, 40))
    means = ours[rows].mean(axis=1) - theirs[rows].mean(axis=1)
    found = paired(ours, theirs, seed=9, resamples=300)
    assert found is not None
    np.testing.assert_allclose(found.difference[1:], np.quantile(means, [0.025, 0.975]), rtol=1e-9)
