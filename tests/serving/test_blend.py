"""Blends: exact explanations, absent members, the request's own weights, JSON both ways."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError

from components.common.errors import ReleaseError
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.calibration import BORDA, RRF, VALUE
from serving.context import CONTEXT
from serving.evidence import Evidence
from serving.verdict import apply, totals

NAMES = ("als", "popularity", "text")


def row(value: float = 0.0, rrf: float = 0.0, missing: float = 0.0) -> tuple[float, ...]:
    return (value, rrf, 0.0, 0.0, 0.0, missing)


def blend(**changes: object) -> Blend:
    given_ = {"kind": "softmax", "members": NAMES, "weights": (row(0.5, 0.1), row(0.2), row(0.1, 0.05, -0.3))}
    return Blend(**(given_ | changes))


def some_evidence(n: int = 2, c: int = 5, seed: int = 0) -> Evidence:
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, c, len(NAMES))).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = np.nan
    return Evidence.without_context(NAMES, scores, np.ones((n, c), bool))


@given(
    arrays.arrays(np.float64, (3, len(FEATURES)), elements=st.floats(-5, 5, width=32)),
    st.integers(0, 1000),
)
def test_a_score_is_the_weighted_sum_and_its_explanation_sums_to_it(weights: np.ndarray, seed: int) -> None:
    evidence = some_evidence(seed=seed)
    feats = evidence.features
    parts = apply(blend(weights=tuple(map(tuple, weights.tolist()))), evidence)
    assert parts.shape == (*feats.shape[:2], 4)
    assert not parts[..., 3].any()
    np.testing.assert_allclose(parts[..., :3], np.einsum("nckf,kf->nck", feats.astype(float), weights), atol=1e-4)
    score = parts.sum(axis=2, dtype=np.float64)
    np.testing.assert_allclose(score, np.einsum("nckf,kf->nc", feats.astype(float), weights), atol=1e-4)
    for item in range(feats.shape[1]):
        assert sum(parts[0, item].astype(float).tolist()) == score[0, item]


def test_a_member_that_did_not_score_an_item_pays_its_missing_term() -> None:
    scores = np.array([[[1.0, 2.0, np.nan], [0.0, 1.0, 3.0]]], dtype=np.float32)
    parts = apply(blend(), Evidence.without_context(NAMES, scores, np.ones((1, 2), bool)))
    assert parts[0, 0, 2] == np.float32(-0.3)
    assert parts[0, 1, 2] == np.float32(0.1) + np.float32(0.05)


@given(st.permutations(range(3)), st.integers(0, 100))
def test_the_order_of_members_does_not_matter(order: list[int], seed: int) -> None:
    evidence, first = some_evidence(seed=seed), blend()
    present = tuple(NAMES[k] for k in order)
    second = blend(members=present, weights=tuple(first.weights[k] for k in order))
    turned = evidence.of(present)
    np.testing.assert_array_equal(apply(first, evidence)[:, :, order], apply(second, turned)[:, :, :3])
    np.testing.assert_array_equal(apply(first, turned), apply(second, turned))


def test_one_absent_member_uses_the_blend_fitted_without_it() -> None:
    fitted = Blend(kind="softmax", members=("als", "popularity"), weights=(row(0.7), row(0.2)))
    whole, rest = blend(without={"text": fitted}), some_evidence().of(("popularity", "als"))
    np.testing.assert_array_equal(apply(whole, rest), apply(fitted, rest))
    assert whole.for_present(NAMES) is whole


def test_two_absent_members_leave_the_rest_with_their_whole_weight() -> None:
    fitted = Blend(kind="softmax", members=("als", "popularity"), weights=(row(0.7), row(0.2)))
    found = blend(without={"text": fitted}).weights_of(("popularity",))
    assert found[0, VALUE] == pytest.approx(np.abs(blend().table).sum())


def test_where_no_weight_is_left_the_present_members_count_alike_by_rank() -> None:
    alone = blend(weights=(row(1.0), row(), row()))
    found = alone.weights_of(("popularity", "text"))
    assert found[:, RRF].tolist() == [0.5, 0.5]
    assert found[:, BORDA].sum() == found[:, VALUE].sum() == 0


def test_an_unknown_member_weighs_nothing() -> None:
    found = blend().weights_of((*NAMES, "new"))
    assert not found[3].any()
    np.testing.assert_array_equal(found[:3], blend().table)


def test_the_request_scales_a_member() -> None:
    evidence = some_evidence()
    found = apply(blend(), evidence, {"als": 0.0, "text": 2.0})
    np.testing.assert_array_equal(found, apply(blend(), evidence) * np.array([0, 1, 2, 1], np.float32))


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": (row(),)},
        {"weights": ((0.1,), (0.1,), (0.1,))},
        {"members": ("als", "als", "text")},
        {"without": {"als": {"kind": "softmax", "members": ("als",), "weights": (row(),)}}},
        {"without": {"als": {"kind": "softmax", "members": ("knn",), "weights": (row(),)}}},
        {"features": ("value",)},
        {"weights": (row(float("nan")), row(), row())},
        {"typo": 1},
    ],
)
def test_a_blend_that_does_not_fit_together_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        blend(**changes)


def test_json_both_ways(tmp_path: Path) -> None:
    fitted = Blend(kind="softmax", members=("popularity", "text"), weights=(row(1.0), row(0.5)))
    mixed = blend(without={"als": fitted}, strangers=blend(), newcomers={1: blend(), 2: blend()})
    task = TaskFusion(chosen="softmax", methods={"softmax": mixed})
    fusion = Fusion(tasks={"discovery": task})
    fusion.save(tmp_path / "fusion.json")
    assert Fusion.load(tmp_path / "fusion.json") == fusion


def test_choosing_a_task_and_a_method() -> None:
    other = blend(kind="voting")
    fusion = Fusion(tasks={"search": TaskFusion(chosen="voting", methods={"softmax": blend(), "voting": other})})
    assert fusion.blend("search") is other
    assert fusion.blend("search", "softmax").kind == "softmax"
    with pytest.raises(ReleaseError, match="no blend for task 'bundle'"):
        fusion.blend("bundle")
    with pytest.raises(ReleaseError, match="no method 'stacker'"):
        fusion.blend("search", "stacker")
    with pytest.raises(ValidationError):
        TaskFusion(chosen="network", methods={"voting": other})


@pytest.mark.parametrize("text", ["{", "[]", '{"tasks": {"search": {"chosen": "x", "methods": {}}}}', ""])
def test_a_damaged_file_is_a_release_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fusion.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"fusion\.json"):
        Fusion.load(path)


def test_a_user_without_history_is_answered_by_the_blend_for_strangers() -> None:
    other = Blend(kind="strangers", members=NAMES, weights=(row(), row(1.0), row()))
    context = np.zeros((2, 5, len(CONTEXT)), np.float32)
    context[1, :4, CONTEXT.index("history")] = 0.7  # the fifth is padding
    scores = some_evidence().scores
    valid = np.array([[True] * 5, [True] * 4 + [False]])
    evidence = Evidence(NAMES, scores, valid, context)
    mixed = blend(strangers=other)
    np.testing.assert_array_equal(apply(mixed, evidence)[0], apply(other, evidence)[0])
    np.testing.assert_array_equal(apply(mixed, evidence)[1], apply(blend(), evidence)[1])
    np.testing.assert_allclose(totals(mixed, evidence), apply(mixed, evidence).sum(axis=2), atol=1e-6)
    turned = apply(mixed, evidence, {"popularity": 2.0})
    np.testing.assert_array_equal(turned[0, :, 1], 2 * apply(other, evidence)[0, :, 1])


def test_users_with_a_short_history_are_answered_by_the_blend_for_newcomers() -> None:
    """Users with 0, 1, 2 and 3 products, of which up to two are few."""
    strangers, newcomers = (
        Blend(kind=kind, members=NAMES, weights=weights)
        for kind, weights in (("strangers", (row(), row(1.0), row())), ("newcomers", (row(), row(), row(1.0))))
    )
    seen = some_evidence(n=4)
    seen.context[..., CONTEXT.index("history")] = np.log1p(np.arange(4))[:, None]
    mixed = blend(strangers=strangers, newcomers={1: newcomers, 2: newcomers})
    expected = [strangers, newcomers, newcomers, blend()]
    for user, own in enumerate(expected):
        np.testing.assert_array_equal(apply(mixed, seen)[user], apply(own, seen)[user])
    np.testing.assert_allclose(totals(mixed, seen), apply(mixed, seen).sum(axis=2), atol=1e-6)
    known = seen.take(np.array([1, 2]))
    np.testing.assert_array_equal(apply(mixed, known), apply(newcomers, known))
    np.testing.assert_array_equal(apply(blend(newcomers={1: newcomers}), seen)[0], apply(blend(), seen)[0])


@pytest.mark.parametrize("whose", ["strangers", "newcomers"])
def test_blends_for_others_weigh_the_same_members(whose: str) -> None:
    other = Blend(kind=whose, members=NAMES[:2], weights=(row(), row()))
    with pytest.raises(ValidationError, match=f"the blend for {whose} weighs"):
        blend(**{whose: other if whose == "strangers" else {1: other}})


def test_who_has_met_nothing_is_no_newcomer() -> None:
    with pytest.raises(ValidationError, match="one product or more"):
        blend(newcomers={0: blend()})
