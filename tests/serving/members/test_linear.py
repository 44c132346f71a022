from pathlib import Path

import numpy as np
from member_contract import MemberContract
from scipy import sparse

from components.common.prepared import Cut, Prepared, visit_items
from components.train_cf.cooccurrence import Visits
from components.train_cf.histories import clock_of, now_of, training_states
from components.train_cf.linear import LinearConfig, LinearTrainer
from serving.members.history import HistoryWeights
from serving.members.linear import Linear
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

HISTORY = HistoryWeights(clock="visits")


class TestLinear(MemberContract):
    member = Linear
    config = LinearConfig
    numbers = LinearConfig(reg=1.0)

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        history = HistoryWeights(clock=clock_of(prepared))
        trainer = LinearTrainer(self.numbers, history)
        n_items = len(prepared.items)
        visits = Visits.of(visit_items(prepared.train(cut), prepared.shop), n_items, now_of(prepared, cut), history)
        trainer.write(trainer.train(training_states(prepared, cut), visits, n_items), folder)


class TestLinearOfWhatComesNext(TestLinear):
    protocol = "leave-one-out"
    numbers = LinearConfig(reg=1.0, window=3, half_life=3.0, learning_half_life=None)


def test_what_speaks_against_an_item_lowers_it() -> None:
    weights = sparse.csr_matrix(np.array([[0, 2, 0], [0, -1, 0], [0, 0, 0]], dtype=np.float32))
    member = Linear(weights, np.array([True, True, False]), HISTORY)
    states = UserStates.from_items([[0], [0, 1], [2]], as_of=0)
    scores = member.score_all(Queries(RECOMMEND, states)) / np.log(2)
    np.testing.assert_allclose(scores, [[0, 2, np.nan], [0, 1, np.nan], [np.nan] * 3], rtol=1e-6)
