"""The two source articles' worked examples and losses, with the right numbers; docs/articles.md prints these."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.decomposition import PCA

from components.fuse.alpha import best_alpha
from components.fuse.least_squares import Moments, descend, solve
from components.fuse.losses import ambiguity, fused_loss, mixed, mixture_of_losses, squared_loss
from components.fuse.methods import single
from serving.blend import Blend
from serving.calibration import FEATURES
from serving.evidence import Evidence
from serving.verdict import apply

PAGE = Path(__file__).parents[3] / "docs" / "articles.md"

# first article, 4.3: two models over three items; the user takes the first
DEEP, CF, TAKEN = np.array([0.8, 0.1, 0.1]), np.array([0.5, 0.3, 0.2]), np.array([1.0, 0.0, 0.0])
# second article, 4.3: earphones 123 and phone 456
DEEP_2, CF_2 = np.array([0.8, 0.2]), np.array([0.6, 0.4])

PROBABILITIES = arrays.arrays(np.float64, 6, elements=st.floats(0, 1))


def test_first_article_fused_output_is_a_distribution() -> None:
    fused = mixed(DEEP, CF, 0.5)
    assert fused == pytest.approx([0.65, 0.20, 0.15])
    assert fused.sum() == pytest.approx(1.0)
    printed = np.array([0.65, 0.35, 0.15])
    assert printed.sum() == pytest.approx(1.15)


def test_first_article_through_the_serving_blend() -> None:
    rows = tuple((0.5, *(0.0,) * (len(FEATURES) - 1)) for _ in range(2))
    feats = np.zeros((1, 3, 2, len(FEATURES)), dtype=np.float32)
    feats[0, :, 0, 0], feats[0, :, 1, 0] = DEEP, CF
    evidence = Evidence.without_context(("deep", "cf"), feats[..., 0], np.ones((1, 3), bool))
    evidence.__dict__["rows"] = feats.transpose(0, 3, 2, 1).reshape(
        1, -1, 3
    )  # the article's numbers are probabilities already: nothing to calibrate
    parts = apply(Blend(kind="article", members=("deep", "cf"), weights=rows), evidence)
    assert parts.sum(axis=2)[0] == pytest.approx([0.65, 0.20, 0.15])
    assert parts[0, 0, :2] == pytest.approx([0.4, 0.25])


def test_first_article_accuracy_is_one_because_the_first_item_wins() -> None:
    fused = mixed(DEEP, CF, 0.5)
    assert float(fused.argmax() == TAKEN.argmax()) == 1.0


def test_first_article_squared_error() -> None:
    fused = mixed(DEEP, CF, 0.5)
    assert squared_loss(TAKEN, fused) == pytest.approx(0.185)
    assert squared_loss(TAKEN, fused) / 3 == pytest.approx(0.0617, abs=5e-5)


def test_first_article_best_weights_on_the_simplex_take_the_deep_model_alone() -> None:
    moments = Moments.of(np.stack([DEEP, CF], axis=1), TAKEN)
    for found in (solve(moments, "simplex"), descend(moments, "simplex")):
        assert found == pytest.approx([1.0, 0.0], abs=1e-9)
    assert best_alpha(TAKEN, DEEP, CF) == 1.0
    assert squared_loss(TAKEN, DEEP) == pytest.approx(0.06)


def test_first_article_free_weights_beat_the_simplex_but_are_no_probabilities() -> None:
    moments = Moments.of(np.stack([DEEP, CF], axis=1), TAKEN)
    free = solve(moments)
    assert free == pytest.approx([1.636, -0.621], abs=5e-4)
    assert moments.error(free) * 3 == pytest.approx(0.0021, abs=5e-5)
    assert free @ np.stack([DEEP, CF]) == pytest.approx([0.998, -0.023, 0.039], abs=5e-4)


def test_second_article_probabilities() -> None:
    assert mixed(DEEP_2, CF_2, 0.7) == pytest.approx([0.74, 0.26])


def test_second_article_prints_the_answer_for_another_alpha() -> None:
    assert mixed(DEEP_2, CF_2, 0.1) == pytest.approx([0.62, 0.38])
    apart = [a for a in np.linspace(0, 1, 1001) if abs(mixed(DEEP_2, CF_2, a)[0] - 0.62) < 1e-9]
    assert apart == pytest.approx([0.1])


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES, st.floats(0, 1))
def test_the_two_fused_losses_differ_by_the_ambiguity(
    target: np.ndarray, deep: np.ndarray, cf: np.ndarray, alpha: float
) -> None:
    first, second = fused_loss(target, deep, cf, alpha), mixture_of_losses(target, deep, cf, alpha)
    assert first == pytest.approx(second - ambiguity(deep, cf, alpha), abs=1e-12)
    assert first <= second + 1e-12


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES)
def test_the_mixture_of_losses_only_ever_selects_a_model(target: np.ndarray, deep: np.ndarray, cf: np.ndarray) -> None:
    grid = [mixture_of_losses(target, deep, cf, alpha) for alpha in np.linspace(0, 1, 21)]
    assert min(grid) == pytest.approx(min(grid[0], grid[-1]), abs=1e-12)


@given(PROBABILITIES, PROBABILITIES, PROBABILITIES)
def test_alpha_minimises_the_squared_error_of_the_blend(target: np.ndarray, deep: np.ndarray, cf: np.ndarray) -> None:
    best = fused_loss(target, deep, cf, best_alpha(target, deep, cf))
    assert best <= min(fused_loss(target, deep, cf, alpha) for alpha in np.linspace(0, 1, 101)) + 1e-12


def test_two_models_can_be_better_together_than_either_which_the_mixture_never_sees() -> None:
    target, deep, cf = np.array([1.0, 0.0]), np.array([1.0, 0.4]), np.array([0.6, 0.0])
    alpha = best_alpha(target, deep, cf)
    assert alpha == pytest.approx(0.5)
    assert fused_loss(target, deep, cf, alpha) == pytest.approx(0.08)
    assert min(mixture_of_losses(target, deep, cf, a) for a in (0.0, 0.5, 1.0)) == pytest.approx(0.16)


def test_models_that_agree_leave_alpha_in_the_middle() -> None:
    assert best_alpha(TAKEN, DEEP, DEEP) == 0.5


def test_an_id_is_not_a_number_to_regress_on() -> None:
    """Renaming products 1, 2, 3 as 3, 1, 2 turns the deep model's weight from negative to positive."""
    outputs = np.stack([DEEP, CF], axis=1)
    by_id, renamed = (solve(Moments.of(outputs, np.array(ids))) for ids in ([1.0, 2.0, 3.0], [3.0, 1.0, 2.0]))
    assert by_id == pytest.approx([-5.61, 11.12], abs=5e-3)
    assert renamed == pytest.approx([0.75, 4.91], abs=5e-3)


def test_outputs_of_different_lengths_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        mixed(np.array([0.8, 0.1, 0.1]), np.array([0.6, 0.4]), 0.5)


def test_reducing_users_and_items_apart_loses_how_they_relate() -> None:
    """Turn the items' space: every user-item product changes, yet two separate PCAs give the same table as before."""
    random = np.random.default_rng(0)
    users, items = random.normal(size=(40, 6)), random.normal(size=(30, 6)) * [6, 5, 4, 3, 2, 1]
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0]

    def article(items: np.ndarray) -> np.ndarray:
        table = PCA(3).fit_transform(users) @ PCA(3).fit_transform(items).T
        return np.asarray(np.abs(np.linalg.svd(table, compute_uv=False)))

    assert article(items @ turn) == pytest.approx(article(items), rel=1e-6)
    assert np.linalg.norm(users @ (items @ turn).T - users @ items.T) > np.linalg.norm(users @ items.T)
    with pytest.raises(ValueError, match="broadcast"):
        _ = (users @ items.T) + (users @ items.T).T  # and N x M is not M x N


def test_the_chosen_single_model_is_a_blend_too() -> None:
    assert single("deep", ("deep", "cf")).table.sum() == 1.0


FIGURES = """
[0.65, 0.20, 0.15]|1.15|accuracy is 1.0|0.185|0.0617|0.06|[0.998, -0.023, 0.039]|0.0021|(1.636, -0.621)
(-5.61, 11.12)|(0.75, 4.91)|0.74|0.26|α = 0.1|0.08|0.16
"""


@pytest.mark.parametrize("figure", FIGURES.strip().replace("\n", "|").split("|"))
def test_the_page_prints_these_figures(figure: str) -> None:
    assert figure in PAGE.read_text(encoding="utf-8")
