import math
from pathlib import Path

import numpy as np
import pandas as pd
from member_contract import MemberContract

from components.common.prepared import Cut, Prepared, visit_items
from components.train_cf.histories import clock_of, now_of
from components.train_cf.trend import TrendConfig, TrendTrainer
from serving.arrays import Bools, Ints
from serving.members.history import HistoryWeights
from serving.members.trend import Trend

DAY = 86_400_000_000
DAYS, VISITS = HistoryWeights(clock="days"), HistoryWeights(clock="visits")


def visits(items: list[int], days: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"item": items, "at": [round(day * DAY) for day in days]})


class TestTrend(MemberContract):
    member = Trend
    config = TrendConfig
    scores_strangers = True

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        trainer = TrendTrainer(TrendConfig(), HistoryWeights(clock=clock_of(prepared)))
        sold = visit_items(prepared.train(cut), prepared.shop)
        trainer.write(trainer.train(sold, now_of(prepared, cut), len(prepared.items)), folder)

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        """What rises most, counted sale by sale."""
        now, usual = [0.0] * len(prepared.items), [0.0] * len(prepared.items)
        sold = visit_items(prepared.train(cut), prepared.shop)
        for item, at in zip(sold["item"].tolist(), sold["at"].tolist(), strict=True):
            age = (now_of(prepared, cut) - at) / DAY
            now[item] += 0.5 ** (age / 14)
            usual[item] += 0.5 ** (age / 90)
        share = sum(now) / sum(usual)
        rises = np.array([math.log((1 + late) / (1 + share * before)) for late, before in zip(now, usual, strict=True)])
        return np.repeat((rises == rises.max())[None, :], len(users), axis=0)


def test_a_sale_counts_half_after_each_half_life() -> None:
    """Of item 0 one sale now; of 1 one sale 10 days ago; of 2 none: 1 and .5 of late, 1 and .71 usually."""
    trainer = TrendTrainer(TrendConfig(recent=10, usual=20), DAYS)
    found = trainer.train(visits([0, 1], [30, 20]), 30 * DAY, 3).scores
    share = 1.5 / (1 + 0.5**0.5)
    np.testing.assert_allclose(found, np.log([2 / (1 + share), 1.5 / (1 + share * 0.5**0.5), 1]), rtol=1e-5)


def test_where_there_is_only_an_order_age_is_the_users_own_visits() -> None:
    """User 0 met item 0, then 1 and 2 at once; user 1 met item 1 alone: the days say nothing."""
    met = pd.DataFrame({"user": [0, 0, 0, 1], "visit": [0, 1, 1, 4], "item": [0, 1, 2, 1], "at": [9, 5, 5, 1]})
    found = TrendTrainer(TrendConfig(recent=1, usual=2), VISITS).train(met, 30 * DAY, 4).scores
    share = 3.5 / (3 + 0.5**0.5)
    expected = [1.5 / (1 + share * 0.5**0.5), 3 / (1 + share * 2), 2 / (1 + share), 1]
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-5)


def test_what_keeps_its_share_stands_still_and_what_stopped_falls() -> None:
    steady, stopped, risen = [float(day) for day in range(1000)], [*range(900)], [*range(980, 1000)]
    sold = visits([0] * 1000 + [1] * 900 + [2] * 20, [*steady, *stopped, *risen])
    scores = TrendTrainer(TrendConfig(), DAYS).train(sold, 1000 * DAY, 3).scores
    assert abs(scores[0]) < 0.1
    assert scores[1] < -1
    assert scores[2] > 1


def test_a_sale_of_the_same_moment_is_no_older_than_now() -> None:
    late = TrendTrainer(TrendConfig(), DAYS).train(visits([0], [31]), 30 * DAY, 1).scores
    np.testing.assert_array_equal(late, TrendTrainer(TrendConfig(), DAYS).train(visits([0], [30]), 30 * DAY, 1).scores)


def test_it_finds_nothing_by_itself() -> None:
    assert not Trend.recalls
    assert Trend.scenarios == {"recommend"}
