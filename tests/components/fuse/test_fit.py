"""Choosing weights: planted shops, honest folds, absent members, edge cases."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.ranking import ndcg_at
from components.fuse.choice import choose
from components.fuse.coverage import REACHES
from components.fuse.fit import NEAR, _tried, fit_task
from components.fuse.judging import cross_fit, fold_of, held_out, judge
from components.fuse.lists import Contexts, FitSet, Lists
from components.fuse.methods import FREE, prior, single
from components.fuse.options import Options
from components.fuse.voting import borda, majority, reciprocal_rank
from serving.blend import Blend
from serving.calibration import BORDA, VOTE
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.evidence import Evidence
from serving.states import UserStates
from serving.verdict import apply

NAMES = ("als", "popularity", "sequence")
FAMILIES = {"als": "cf", "popularity": "popularity", "sequence": "deep"}


def shop(noise: tuple[float, float, float], n: int = 300, c: int = 40, seed: int = 0) -> FitSet:
    """Lists whose relevant items are the best by a hidden taste; each member sees it through its own noise."""
    random = np.random.default_rng(seed)
    taste = random.normal(size=(n, c))
    scores = (taste[:, :, None] + random.normal(size=(n, c, 3)) * noise).astype(np.float32)
    scores[random.random(scores.shape) < 0.1] = np.nan
    labels = np.zeros((n, c), dtype=np.float32)
    np.put_along_axis(labels, np.argsort(-taste, axis=1)[:, :3], 1, axis=1)
    return FitSet(NAMES, scores, np.ones((n, c), bool), labels, np.full(n, 4), np.arange(n))


def ndcg(blend: Blend, fit: FitSet, present: tuple[str, ...] = NAMES) -> float:
    total = apply(blend, fit.of(present).evidence(np.arange(len(fit)))).sum(axis=2)
    labels = np.take_along_axis(fit.labels, np.argsort(-total, axis=1, kind="stable"), axis=1)
    return float(np.nanmean(ndcg_at(labels, fit.n_relevant, 10)))


def test_members_of_equal_worth_are_blended_and_beat_each_alone() -> None:
    fusion, report = fit_task([shop((1.0, 1.0, 1.0))], FAMILIES)
    fresh = shop((1.0, 1.0, 1.0), seed=9)
    fused = ndcg(fusion.methods[fusion.chosen], fresh)
    assert fused > 1.15 * max(ndcg(single(name, NAMES), fresh) for name in NAMES)
    assert report["methods"][fusion.chosen]["behind_best"] < 0.02
    weights = np.array(fusion.methods["softmax"].weights)
    assert weights.sum() == pytest.approx(1.0)
    assert weights.sum(axis=1) == pytest.approx([1 / 3] * 3, abs=0.12)


def test_noise_gets_no_weight_and_is_never_preferred() -> None:
    fusion, report = fit_task([shop((0.2, 50.0, 50.0))], FAMILIES)
    chosen = fusion.methods[fusion.chosen]
    rows = np.abs(np.array(chosen.weights)).sum(axis=1)
    assert rows[0] > 0.8 * rows.sum()
    assert report["methods"][fusion.chosen]["ndcg@10"] >= report["methods"]["single:als"]["ndcg@10"] - 0.005


def test_every_method_is_fitted_reported_and_names_itself() -> None:
    fusion, report = fit_task([shop((1.0, 2.0, 1.0))], FAMILIES)
    learned = {
        "alpha",
        "least_squares",
        "least_squares_non_negative",
        "least_squares_simplex",
        "softmax",
        "softmax_head",
        "greedy",
        *FREE,
    }
    voting = {"voting", "voting_borda", "voting_majority"}
    alone = {f"single:{name}" for name in NAMES}
    assert learned | voting <= set(fusion.methods) <= learned | voting | alone
    assert set(report["methods"]) == learned | voting | alone
    assert all(blend.kind == name for name, blend in fusion.methods.items())
    alpha = np.array(fusion.methods["alpha"].weights)
    assert alpha[1].sum() == 0
    assert alpha.sum() == pytest.approx(1.0)


def test_an_absent_member_leaves_weights_fitted_without_it() -> None:
    fit, fresh = shop((1.0, 0.8, 1.2)), shop((1.0, 0.8, 1.2), seed=5)
    fusion, _ = fit_task([fit], FAMILIES)
    blend = fusion.methods[fusion.chosen]
    assert set(blend.without) == set(NAMES)
    for absent in NAMES:
        rest = tuple(name for name in NAMES if name != absent)
        alone = max(ndcg(single(name, NAMES), fresh) for name in rest)
        assert absent not in blend.without[absent].members
        assert ndcg(blend, fresh, rest) > alone


def test_the_same_lists_and_seed_give_the_same_fusion() -> None:
    fit = shop((1.0, 1.0, 3.0), n=80)
    first, second = (fit_task([fit], FAMILIES, Options(seed=3)) for _ in range(2))
    assert first[0] == second[0]
    assert first[1]["methods"] == second[1]["methods"]


def test_a_prior_that_is_good_enough_stays() -> None:
    fit = shop((1.0, 1.0, 1.0), n=40)
    alike = FitSet(NAMES, np.nan_to_num(fit.scores[:, :, [0, 0, 0]]), fit.valid, fit.labels, fit.n_relevant, fit.groups)
    fusion, _ = fit_task([alike], {}, Options(prior=prior("prior", NAMES, dict.fromkeys(NAMES, 1.0))))
    assert fusion.chosen == "prior"
    harmful = prior("prior", NAMES, {"popularity": 1.0})
    fusion, _ = fit_task([shop((0.5, 50.0, 1.0))], {}, Options(prior=harmful))
    assert fusion.chosen != "prior"
    assert fusion.methods["prior"] == harmful


def test_one_member_is_its_own_blend() -> None:
    fit = shop((1.0, 1.0, 1.0), n=30)
    only = FitSet(("als",), fit.scores[:, :, :1], fit.valid, fit.labels, fit.n_relevant, fit.groups)
    fusion, _ = fit_task([only], FAMILIES)
    assert fusion.chosen == "single:als"
    assert fusion.methods["single:als"].without == {}


def test_lists_with_nothing_relevant_among_their_candidates_teach_nothing_and_count_as_zero() -> None:
    fit = shop((1.0, 1.0, 1.0), n=40)
    fit.labels[:20] = 0
    assert len(Lists.of([fit], 10**6, 0)) == 20
    fusion, report = fit_task([fit], FAMILIES)
    assert report["methods"][fusion.chosen]["ndcg@10"] < 0.5
    fit.labels[:] = 0
    fusion, report = fit_task([fit], FAMILIES)
    assert fusion.chosen.startswith("single:")
    assert report["methods"][fusion.chosen]["ndcg@10"] == 0.0


def test_sets_of_different_width_are_learned_from_together_up_to_a_budget() -> None:
    wide, narrow = shop((1.0, 1.0, 1.0), n=60), shop((1.0, 1.0, 1.0), n=60, c=25, seed=1)
    lists = Lists.of([wide, narrow], 10**6, 0)
    assert lists.x.shape == (120, 40, 3, 4)
    assert lists.valid[60:].sum() == 60 * 25
    few = Lists.of([wide, narrow], 1000, 0)
    assert few.x.shape[0] * 32.5 <= 1000
    assert fit_task([wide, narrow], FAMILIES)[1]["lists"] == 120


@given(st.lists(st.integers(0, 30), min_size=3, max_size=60), st.integers(2, 5), st.integers(0, 9))
def test_a_group_is_never_divided_between_folds(groups: list[int], folds: int, seed: int) -> None:
    half = len(groups) // 2
    parts = [np.array(groups[:half], dtype=np.int64), np.array(groups[half:], dtype=np.int64)]
    found = np.concatenate(fold_of(parts, folds, seed))
    homes = {group: {int(f) for g, f in zip(groups, found, strict=True) if g == group} for group in groups}
    assert all(len(home) == 1 for home in homes.values())
    sizes = [sum(home == {fold} for home in homes.values()) for fold in range(folds)]
    assert max(sizes) - min(sizes) <= 1


def test_no_method_learns_from_the_lists_it_is_judged_on() -> None:
    fit, learned_from = shop((1.0, 1.0, 1.0), n=30), []

    def remember(lists: Lists) -> Blend:
        learned_from.append(set(lists.groups.tolist()))
        return reciprocal_rank(lists.members)

    folds = fold_of([fit.groups], 3, 0)
    tables = cross_fit([fit], folds, Lists.of([fit], 10**6, 0), {"remember": remember}, {})
    judged = judge([fit], folds, tables)
    assert [set(range(30)) - seen for seen in learned_from] == [set(np.flatnonzero(folds[0] == f)) for f in range(3)]
    assert not np.isnan(judged["remember"]).any()


def test_the_steadiest_within_one_standard_error_is_chosen() -> None:
    random = np.random.default_rng(0)
    best = random.random(400)
    near, far = best - random.normal(0.001, 0.1, 400), best - random.normal(0.1, 0.1, 400)
    assert choose({"far": far, "near": near, "best": best}) == "near"
    assert choose({"far": far, "best": best}) == "best"
    assert choose({"one": np.array([np.nan]), "two": np.array([np.nan])}) == "one"
    assert choose({"single:als": best, "voting": near, "softmax_firm": near, "softmax": near}) == "softmax"
    assert choose({"single:als": best, "voting": near, "softmax": far}) == "single:als"


def test_a_member_alone_is_preferred_only_where_no_other_may_be_the_best() -> None:
    random = np.random.default_rng(0)
    als = random.random(400)
    near, far = als - random.normal(0.001, 0.1, 400), als - random.normal(0.1, 0.1, 400)
    judged = {"single:als": als, "softmax": near}
    assert choose(judged, {"single:als": als, "single:knn": far}) == "single:als"
    assert choose(judged, {"single:als": als, "single:knn": near}) == "softmax"
    assert choose({"single:als": far, "softmax": als}, {"single:als": far}) == "softmax"


def test_where_there_is_plenty_to_judge_by_the_best_serves() -> None:
    random = np.random.default_rng(0)
    best = random.random(600)
    judged = {"softmax": best - 0.01 + random.normal(size=600), "stacker": best}
    judged["softmax"] -= judged["softmax"].mean() - best.mean() + 0.01  # behind, but by less than its error
    assert choose(judged) == "softmax"
    assert choose(judged, plenty=True) == "stacker"


def test_what_is_averaged_when_it_serves_counts_for_more_than_its_trial() -> None:
    best = np.linspace(0.2, 0.6, 600)
    judged = {"softmax": best, "attention": best / 1.004, "ensemble": best / 1.016}
    assert choose(judged, plenty=True) == "attention"
    assert choose(judged | {"ensemble": best / 1.008}, plenty=True) == "ensemble"
    assert choose({"softmax": best, "attention": best / 1.006}, plenty=True) == "softmax"


def test_voting_by_hand() -> None:
    scores = np.array([[[3.0, 1.0], [2.0, 3.0], [1.0, 2.0]]], dtype=np.float32)
    names = ("a", "b")
    evidence = Evidence.without_context(names, scores, np.ones((1, 3), bool))
    assert apply(borda(names), evidence).sum(axis=2)[0] == pytest.approx(
        [(1 + 1 / 3) / 2, (2 / 3 + 1) / 2, (1 / 3 + 2 / 3) / 2]
    )
    assert apply(reciprocal_rank(names), evidence).sum(axis=2)[0] == pytest.approx(
        [(1 + 61 / 63) / 2, (61 / 62 + 1) / 2, (61 / 63 + 61 / 62) / 2]
    )


def test_in_a_majority_no_borda_count_outweighs_a_vote() -> None:
    table = np.array(majority(NAMES).weights)
    assert table[:, BORDA].sum() < table[0, VOTE]
    assert table[:, VOTE].sum() == pytest.approx(1.0)


def test_windows_are_held_out_one_by_one_where_each_is_large_enough() -> None:
    large = [shop((1.0, 1.0, 1.0), n=200, seed=seed) for seed in (0, 1)]
    assert [set(fold.tolist()) for fold in held_out(large, 3, 0)] == [{0}, {1}]
    small = [large[0], large[1].take(np.arange(199))]
    assert set(np.concatenate(held_out(small, 3, 0)).tolist()) == {0, 1, 2}
    seen: list[set[int]] = []

    def remember(lists: Lists) -> Blend:
        seen.append(set(lists.windows.tolist()))
        return reciprocal_rank(lists.members)

    cross_fit(large, held_out(large, 3, 0), Lists.of(large, 10**6, 0), {"remember": remember}, {})
    assert seen == [{1}, {0}]


def test_with_plenty_of_lists_what_serves_holds_the_popular_back_where_that_is_better() -> None:
    def fitted(n: int) -> float:
        fit = shop((3.0, 0.3, 50.0), n=n)
        disliked = fit.scores.copy()
        disliked[:, :, 1] = -fit.scores[:, :, 1]
        against = FitSet(NAMES, disliked, fit.valid, fit.labels, fit.n_relevant, fit.groups)
        fusion, report = fit_task([against], FAMILIES, Options(only=("softmax",), absences=False))
        assert fusion.methods[fusion.chosen].reach == report["reach"]
        return float(report["reach"])

    assert fitted(600) > REACHES[0]
    assert fitted(400) == 0


def test_of_many_good_methods_the_best_few_are_tried_beside_the_best_member() -> None:
    """By its trial `ensemble` is the last of nine, by what it promises the third; `poor` is too far behind anyway."""
    fit, names = shop((1.0, 1.0, 1.0), n=30), [f"method_{place}" for place in range(8)]
    judged = {name: np.full(30, 0.5 - 0.001 * place) for place, name in enumerate(names)}
    judged |= {"ensemble": np.full(30, 0.4910), "poor": np.full(30, 0.1)}
    folds = fold_of([fit.groups], 3, 0)
    tables = [dict.fromkeys(judged, reciprocal_rank(NAMES))] * 3
    tried = _tried([fit], folds, tables, judged, single("als", NAMES), "als", 0)
    assert {option.method for option in tried} == {"single:als", "ensemble", *names[: NEAR - 1]}


def selling(n_items: int, n: int = 600, c: int = 40, sold_items: int = 580) -> FitSet:
    """Users like what sells and a taste of their own; `als` sees both, `sequence` the taste alone."""
    random = np.random.default_rng(0)
    sold = 1000.0 / np.arange(1, sold_items + 1)
    drawn = random.gumbel(size=(n, sold_items)) + 0.5 * np.log(sold)
    candidates = np.argsort(drawn, axis=1)[:, -c:].astype(np.int32)
    taste, sells = random.normal(size=(n, c)), 0.6 * np.log(sold[candidates])
    seen = [taste + sells + 0.7 * random.normal(size=(n, c)), sold[candidates], taste + random.normal(size=(n, c))]
    labels = np.zeros((n, c), dtype=np.float32)
    np.put_along_axis(labels, np.argsort(-taste - sells, axis=1)[:, :3], 1, axis=1)
    frame = {"category": [""] * n_items, "brand": [""] * n_items, "price_norm": np.zeros(n_items, np.float32)}
    reader = ContextReader(Catalogue(pd.DataFrame(frame)), True)
    contexts = Contexts(reader, UserStates.from_items([[]] * n, 0), candidates)
    scores = np.stack(seen, axis=2).astype(np.float32)
    return FitSet(NAMES, scores, np.ones((n, c), bool), labels, np.full(n, 3), np.arange(n), contexts)


def test_a_shop_lives_from_breadth_where_its_users_outnumber_its_items_not_only_those_with_lists() -> None:
    """The lists are the same; nobody has the last items of the catalogue among the candidates."""

    def shown(n_items: int, everyone: int) -> float:
        fusion, report = fit_task(
            [selling(n_items)], FAMILIES, Options(only=("softmax",), absences=False, everyone=everyone)
        )
        assert (fusion.chosen, report["reach"]) == ("softmax", 0)
        blend = fusion.methods["softmax"]
        assert (blend.seats, blend.host) == (report["seats"], "als" if report["seats"] else "")
        items = (t["items"] for t in report["trades"] if t["reach"] == 0 and t["seats"] == report["seats"])
        return float(next(items))

    assert 1.2 * shown(610, 0) < shown(590, 0)  # 600 users with lists
    assert shown(590, 580) == shown(590, 0)  # 580 can not be all where 600 have lists
    assert shown(610, 605) == pytest.approx(shown(610, 0), rel=0.01)
    assert 1.2 * shown(610, 605) < shown(610, 620)
