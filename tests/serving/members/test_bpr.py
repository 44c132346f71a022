from pathlib import Path

import numpy as np
import pytest
from member_contract import MemberContract, planted_shop

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_cf.bpr import BprConfig, BprTrainer
from components.train_cf.histories import clock_of, training_states
from serving.catalogue import Catalogue
from serving.members.bpr import Bpr
from serving.members.history import HistoryWeights
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

CONFIG = BprConfig(embedding_size=8, steps=120, batch_size=64, negatives=16, learning_rate=0.05)


class TestBpr(MemberContract):
    member = Bpr
    config = BprConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        config = CONFIG.model_copy(update={"seed": seed})
        trainer = BprTrainer(config, HistoryWeights(clock=clock_of(prepared)))
        trainer.write(trainer.train(training_states(prepared, cut), len(prepared.items)), folder)


class TestBprOrdered(TestBpr):
    protocol = "leave-one-out"


def test_scores_worked_by_hand() -> None:
    # the user's vector is the mean of the known items' inputs, here (1 + 3) / 2
    inputs, outputs = np.array([[1.0], [3.0], [9.0]], np.float32), np.array([[1.0], [2.0], [1.0]], np.float32)
    bias, known = np.array([0.5, 0.0, 7.0], np.float32), np.array([True, True, False])
    member = Bpr(inputs, outputs, bias, known, HistoryWeights(clock="visits"))
    scores = member.score_all(Queries(RECOMMEND, UserStates.from_items([[0, 1], [0, 1, 2], [2]], as_of=0)))
    np.testing.assert_allclose(scores[:2], [[2.5, 4.0, np.nan]] * 2, rtol=1e-6)
    assert np.isnan(scores[2]).all()


def test_vectors_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    prepared = planted_shop()
    trainer = BprTrainer(CONFIG.model_copy(update={"steps": 1}), HistoryWeights())
    trainer.write(trainer.train(training_states(prepared, prepared.split.test), 20), tmp_path)
    with pytest.raises(ReleaseError, match="inputs of 20 items found, 16 expected"):
        Bpr.load(tmp_path, Catalogue(prepared.items))
