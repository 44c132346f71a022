from pathlib import Path

import numpy as np
import pytest
from member_contract import MemberContract, planted_shop, planted_states

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_cf.histories import clock_of, training_states
from components.train_cf.popularity import PopularityConfig, PopularityTrainer
from serving.arrays import Bools, Ints
from serving.catalogue import Catalogue
from serving.members.history import HistoryWeights
from serving.members.popularity import Popularity
from serving.queries import SCENARIOS, Queries
from serving.states import UserStates


class TestPopularity(MemberContract):
    member = Popularity
    config = PopularityConfig
    scores_strangers = True

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        trainer = PopularityTrainer(PopularityConfig(), HistoryWeights(clock=clock_of(prepared)))
        trainer.write(trainer.train(training_states(prepared, cut), len(prepared.items)), folder)

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        """Every item that anybody met outranks the one nobody did."""
        met = np.bincount(prepared.train(cut)["item"], minlength=len(prepared.items)) > 0
        return np.repeat(met[None, :], len(users), axis=0)


def test_a_user_counts_half_after_a_half_life() -> None:
    day = 86_400_000_000
    states = UserStates(
        ("a", "b"),
        np.array([0, 2, 3]),
        np.array([0, 1, 1], np.int32),
        np.array([0, 10 * day, 10 * day]),
        np.zeros(3, np.int64),
        np.array([5, 1, 1], np.float32),
        np.array([10 * day, 10 * day]),
    )
    trainer = PopularityTrainer(PopularityConfig(half_life=10.0), HistoryWeights(clock="days"))
    np.testing.assert_allclose(trainer.train(states, 3).scores, np.log1p([0.5, 2.0, 0.0]), rtol=1e-6)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_gets_the_same_scores(scenario: str) -> None:
    prepared = planted_shop()
    states = planted_states(prepared, prepared.split.test, [0, 1])
    member = Popularity(np.arange(16, dtype=np.float32))
    assert scenario in member.scenarios
    np.testing.assert_array_equal(member.score_all(Queries(scenario, states)), [np.arange(16)] * 2)


def test_scores_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.zeros(3, np.float32))
    with pytest.raises(ReleaseError, match=r"\(16,\) expected"):
        Popularity.load(tmp_path, Catalogue(planted_shop().items))
