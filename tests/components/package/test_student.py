"""A student says what the blend says, from few members; it stands in for the blend only where that loses nothing."""

import numpy as np
import pytest
from crowded_run import FIT, packed
from evaluated_run import Run, fusion

from components.common.ranking import discounts
from components.evaluate.run import evaluate
from components.package.student import USED, Lesson, chosen, distilled, members_of, tried_student
from components.package.trial import FUSED, engine_of, lists_of, pools
from serving.engine import Engine
from serving.instances import parse
from serving.release import verify


@pytest.fixture(scope="session")
def made(crowded: Run) -> Run:
    return crowded


def lesson(wanted: dict[str, float], n: int = 4_000) -> Lesson:
    """Of three members' random features, where what is wanted is the sum of the first ones, times *wanted*."""
    names = ("loud", "popularity", "true")
    x = np.random.default_rng(0).random((n, len(names) * len(USED)))
    y = sum((factor * x[:, names.index(name) * len(USED)] for name, factor in wanted.items()), start=np.zeros(n))
    x = np.concatenate([x, np.ones((n, 1))], axis=1)
    return Lesson(names, x.T @ x, x.T @ y, float(y @ y), n)


def test_the_weights_of_a_blend_of_two_are_found_again() -> None:
    weights, left = lesson({"true": 2.0, "popularity": -0.5}).solve(("popularity", "true"))
    expected = np.zeros((2, len(USED)))
    expected[:, 0] = (-0.5, 2.0)
    np.testing.assert_allclose(weights, expected, atol=1e-3)
    assert left < 1e-4
    alone = lesson({"true": 2.0, "popularity": -0.5}).solve(("loud",))[1]
    assert alone > 0.05


def test_members_are_added_by_what_they_leave_and_popularity_is_always_there() -> None:
    lessons = {"discovery": lesson({"true": 1.0, "loud": 0.2})}
    assert chosen(lessons, 1) == ("popularity",)
    assert chosen(lessons, 2) == ("popularity", "true")
    assert chosen(lessons, 9) == ("loud", "popularity", "true")


def test_a_lesson_is_what_its_lists_say(run: Run) -> None:
    """The moments against those of the candidates written out one by one."""
    shop, engine = run.prepared, engine_of(run.prepared, [run.root / "members" / "fit_1"], fusion(1.0))
    task, states, _ = next(iter(lists_of(shop, engine, FIT)))
    (_, pool) = next(iter(pools(engine, states, task)))
    assert engine.fusion is not None
    found = Lesson.of(pool.members)
    found.add(pool, engine.fusion.blend(task))
    x, y = [], []
    ranked = engine.rank(pool, task, pool.candidates.shape[1]).items
    features = pool.evidence.features
    for row in range(len(ranked)):
        for place, item in enumerate(ranked[row][ranked[row] >= 0]):
            column = int(np.flatnonzero(pool.candidates[row] == item)[0])
            x.append([*features[row, column][:, USED].ravel(), 1.0])
            y.append(discounts(100)[place])
    np.testing.assert_allclose(found.gram, np.array(x).T @ np.array(x), rtol=1e-5)
    assert found.target == pytest.approx(np.square(y).sum())
    assert found.rows == len(y)


def test_a_student_of_a_simple_blend_loses_nothing_and_one_who_knows_too_little_does(run: Run) -> None:
    shop, families = run.prepared, [run.root / "members"]
    trial = tried_student(shop, families, fusion(1.0), [FIT])
    assert trial.why_not == ""
    assert trial.losses["discovery"][FUSED].after == 1.0
    ignorant = distilled(shop, families, fusion(1.0), [FIT], most=1)
    assert members_of(ignorant) == ("popularity",)


def test_a_release_of_a_student_recommends_and_answers_nothing_else(run: Run) -> None:
    found = packed(run, "distilled")
    assert (found.taken, found.members) == (True, ("item_knn", "popularity"))
    release = run.root / "release"
    manifest = verify(release)
    assert (manifest.members, manifest.tasks) == (("item_knn", "popularity"), ("discovery", "next_basket"))
    blends, states = run.root / "fusion", run.root / "features"
    judged = evaluate(release, run.root / "prepared", states, blends, "", "", run.root / "evaluation")
    assert set(judged["metrics"]["scenarios"].values()) == {None}  # it is judged without what it does not answer
    engine = Engine.load(release)
    assert engine.serves("recommend")
    assert not any(engine.serves(scenario) for scenario in ("similar", "bundle", "search", "ads"))
    whole = Engine.load(run.pack(1.0))
    asked = [parse({"scenario": "recommend", "k": 5})]
    assert [item["item_id"] for item in engine.answer(asked, None, engine.as_of)[0]["items"]] == [
        item["item_id"] for item in whole.answer(asked, None, whole.as_of)[0]["items"]
    ]
