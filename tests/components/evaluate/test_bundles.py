import numpy as np
import pytest
from evaluated_run import Run

from components.common import columns as c
from components.evaluate.bundles import FUSED, RECALL, judge_bundles, recall, summary
from components.evaluate.scenarios import scenarios
from serving.arrays import PAD
from serving.engine import Engine


def test_recall_by_hand() -> None:
    """Two of three wanted are listed; nothing is wanted; padding finds nothing."""
    truth = np.zeros((3, 6), dtype=bool)
    truth[0, [1, 2, 5]] = True
    truth[2, 5] = True
    items = np.array([[5, 0, 1], [1, 2, 3], [PAD, PAD, PAD]], dtype=np.int32)
    np.testing.assert_allclose(recall(items, truth), [2 / 3, np.nan, 0])


def test_the_gain_is_over_popularity_and_has_an_interval() -> None:
    values = {FUSED: np.full(50, 0.4), "popularity": np.full(50, 0.2), "other": np.full(50, 0.3)}
    found = summary(values, 0)
    assert found["gain"] == {"over": "popularity", RECALL: pytest.approx(1.0), "ci95": pytest.approx([1.0, 1.0])}
    assert found["members"]["other"][RECALL] == pytest.approx(0.3)
    assert summary({FUSED: values[FUSED]}, 0)["gain"]["ci95"] is None


def test_the_release_is_asked_for_the_rest_of_test_baskets(run: Run) -> None:
    """Of the planted shop's users each takes two items at once; those of one group go together."""
    shop = run.prepared
    shop.events[c.VISIT] = shop.events[c.VISIT] // 2
    judged = judge_bundles(Engine.load(run.root / "release"), shop)
    assert judged is not None
    assert judged["users"] > 10
    assert 0 <= judged[FUSED][RECALL] <= 1
    assert set(judged["members"]) == {"item_knn", "popularity"}
    assert judged["new"]["users"] <= judged["users"]
    (section,) = scenarios({"scenarios": {"bundle": judged}})
    assert "<h2>Bundles</h2>" in section
    assert section.count("<tr") == 4


def test_a_window_without_baskets_is_not_judged(run: Run) -> None:
    assert judge_bundles(Engine.load(run.root / "release"), run.prepared) is None
    assert scenarios({"scenarios": {"bundle": None}}) == []
