"""The predicted click beside what was clicked."""

import numpy as np
import pandas as pd
import pytest
from evaluated_run import Run

from components.common import columns as c
from components.evaluate.ads import _summary, judge_clicks
from components.evaluate.scenarios import scenarios
from serving.ads import ClickModel
from serving.engine import Engine


def test_by_hand() -> None:
    """Ten ads said to be clicked one time in two: five were, the later ones."""
    found = _summary(np.full(10, 0.5) + np.arange(10) * 1e-6, np.arange(10) >= 5)
    assert found["predicted"] == pytest.approx(0.5, abs=1e-5)
    assert found["clicked"] == 0.5
    assert found["log_loss"] == pytest.approx(np.log(2), abs=1e-4)
    assert found["auc"] == 1.0
    assert found["classified"]["confusion"] == [[1, 4], [0, 5]]  # above the rate that was clicked: all but the first
    assert [part["clicked"] for part in found["parts"]] == [0, 0, 0.5, 1, 1]


def test_what_was_shown_in_the_window_is_judged(run: Run) -> None:
    shop, engine = run.prepared, Engine.load(run.root / "release")
    states = run.root / "features" / "states" / "test.parquet"
    assert judge_clicks(engine, shop, run.root / "prepared", states) is None
    names = ("item_knn", "popularity")
    engine.click_model = ClickModel(
        members=names, means=(0, 0), scales=(1, 1), weights=(0, 0), missing=(0, 0), intercept=0, seen=0.5
    )
    start = pd.Timestamp(shop.split.test.as_of or 0, unit="us", tz="UTC")
    users = shop.users[c.USER_ID].iloc[:8]
    pd.DataFrame(
        {
            "request_id": [f"r{n}" for n in range(8)], c.TIMESTAMP: [start] * 7 + [start - pd.Timedelta(days=1)],
            c.USER_ID: users, "scenario": "ads", c.ITEM_ID: shop.items[c.ITEM_ID].iloc[0], "position": 1.0,
            "propensity": 1.0, "outcome": ["click", None] * 4,
        }
    ).to_parquet(run.root / "prepared" / "impressions.parquet")  # fmt: skip
    found = judge_clicks(engine, shop, run.root / "prepared", states)
    assert found is not None
    assert found["impressions"] == 7
    assert found["predicted"] == pytest.approx(0.25)
    assert found["clicked"] == pytest.approx(4 / 7)
    (section,) = scenarios({"scenarios": {"ads": found}})
    assert "<h2>Ads</h2>" in section
