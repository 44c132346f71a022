from pathlib import Path

import numpy as np
import pytest

from benchmarks import scale_one
from benchmarks.scale import growth, joined, measure, render
from benchmarks.scale_one import LONGEST, MEAN, examples_of, fit, made_visits
from components.common import columns as c
from components.train_cf.recipes import RECIPES

ENDED = {
    "fit_s": 2.0,
    "clock_s": 2.5,
    "fits": 3,
    "states_s": 0.1,
    "before_mb": 90,
    "peak_mb": 100,
    "interactions": 1_000,
}
CONDITIONS = {"zipf": 1.0, "seed": 0, "limit_s": 300, "cores": 2, "load": 0.5}


def test_a_made_shop_has_the_sizes_and_the_skew_it_says() -> None:
    visits = made_visits(20_000, seed=1)
    lengths = visits.groupby(c.USER).size()
    users = visits.groupby(c.ITEM).size().sort_values(ascending=False).to_numpy()
    assert abs(lengths.mean() - MEAN) < 0.2
    assert 1 <= lengths.min() <= lengths.max() <= LONGEST
    np.testing.assert_allclose(users[0] / users[9], 10, rtol=0.15)  # Zipf: rank 1 against rank 10
    assert not visits.duplicated([c.USER, c.VISIT]).any()
    assert made_visits(50, seed=1).equals(made_visits(50, seed=1))


def test_what_came_again_is_what_the_last_visit_holds() -> None:
    visits = made_visits(300, seed=0)
    examples = examples_of(visits, 300)
    last = visits.groupby(c.USER).tail(1).set_index(c.USER)[c.ITEM]
    expected = [last[user] == item for user, item in zip(examples.states.row_of, examples.states.items, strict=True)]
    assert examples.again.tolist() == expected


FIXED_STEPS = {"bpr"}  # takes its seconds at any size


@pytest.mark.parametrize("member", sorted({*RECIPES, "repurchase"} - FIXED_STEPS))
def test_every_member_can_be_measured(member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_one, "REPEATS", 1)
    found = fit(member, made_visits(200, seed=0), 200, seed=0)
    assert found["fit_s"] >= 0
    assert found["fits"] == 1


def test_a_process_ends_well_is_stopped_or_says_why(tmp_path: Path) -> None:
    ended = measure("popularity", 500, 1.0, 0, tmp_path)
    assert ended["interactions"] == len(made_visits(500, 0))
    assert ended["peak_mb"] >= ended["before_mb"] > 0
    assert measure("popularity", 500, 1.0, 0, tmp_path, limit=0) == {"stopped": 0}
    assert "oracle" in measure("oracle", 500, 1.0, 0, tmp_path)["failed"]


def test_the_exponent_worked_by_hand() -> None:
    points = {"10": {**ENDED}, "1000": {**ENDED, "interactions": 100_000, "fit_s": 2_000.0}}
    assert growth(points) == pytest.approx(1.5)
    assert growth({"10": {**ENDED}, "100": {"stopped": 300}}) is None


def test_a_second_run_keeps_what_it_does_not_measure() -> None:
    before = {"conditions": CONDITIONS, "members": {"als": {"10": ENDED}, "popularity": {"10": ENDED}}}
    newer = {"conditions": {**CONDITIONS, "load": 0.1}, "members": {"als": {"10": {"stopped": 300}, "20": ENDED}}}
    both = joined(before, newer)
    assert both["members"] == {"als": {"10": {"stopped": 300}, "20": ENDED}, "popularity": {"10": ENDED}}
    assert both["conditions"]["load"] == 0.5
    other = {**newer, "conditions": {**CONDITIONS, "zipf": 0.5}}
    assert joined(before, other) == other


def test_the_page_says_what_holds_and_what_was_stopped() -> None:
    members = {"cooccurrence": {"1000000": {**ENDED, "peak_mb": 3_500}}, "als": {"1000000": {"stopped": 300}}}
    text = render({"conditions": {**CONDITIONS, "load": 9.0}, "members": members}, "scale.svg")
    assert "stopped at 300 s" in text
    assert "**does not hold** (2.0 s, 3.50 GB)" in text
    assert "busy" in text
    assert "holds" in render({"conditions": CONDITIONS, "members": {"cooccurrence": {"1000000": ENDED}}}, "scale.svg")
