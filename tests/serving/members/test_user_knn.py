from pathlib import Path

import numpy as np
import pytest
from member_contract import MemberContract, planted_shop
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_cf.histories import clock_of, training_states
from components.train_cf.user_knn import UserKnnConfig, UserKnnTrainer
from serving.catalogue import Catalogue
from serving.members.history import HistoryWeights
from serving.members.user_knn import UserKnn, best_entries
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates


class TestUserKnn(MemberContract):
    member = UserKnn
    config = UserKnnConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        trainer = UserKnnTrainer(UserKnnConfig(neighbours=20), HistoryWeights(clock=clock_of(prepared)))
        trainer.write(trainer.train(training_states(prepared, cut), len(prepared.items)), folder)


class TestUserKnnOrdered(TestUserKnn):
    protocol = "leave-one-out"


def test_scores_worked_by_hand() -> None:
    # kept histories: (3, 4, 0) and (0, 1, 1); the question weighs item 1 by log 2
    kept = sparse.csr_matrix(np.array([[3, 4, 0], [0, 1, 1]], dtype=np.float32))
    known, history = np.ones(3, dtype=bool), HistoryWeights(clock="visits")
    states = UserStates.from_items([[1], [2]], as_of=0)
    scores = UserKnn(kept, np.ones(3, np.float32), known, history, 2).score_all(Queries(RECOMMEND, states))
    first, second = 4 / 5, 1 / 2**0.5
    expected = [[3 * first, 4 * first + second, second], [0, second, second]]
    np.testing.assert_allclose(scores / np.log(2), expected, rtol=1e-6)
    nearest = UserKnn(kept, np.ones(3, np.float32), known, history, 1).score_all(Queries(RECOMMEND, states))
    np.testing.assert_allclose(nearest[0] / np.log(2), [3 * first, 4 * first, 0], rtol=1e-6)


def test_who_is_like_nobody_is_not_scored() -> None:
    kept = sparse.csr_matrix(np.array([[1, 1, 0]], dtype=np.float32))
    member = UserKnn(kept, np.ones(3, np.float32), np.ones(3, dtype=bool), HistoryWeights(), 5)
    scores = member.score_all(Queries(RECOMMEND, UserStates.from_items([[2], [0]], as_of=0)))
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1]).all()


@pytest.mark.parametrize("k", [1, 2, 9])
def test_the_best_entries_of_each_row_stay(k: int) -> None:
    matrix = sparse.random(30, 12, density=0.4, random_state=3, format="csr", dtype=np.float32)
    kept = best_entries(matrix.copy(), k).toarray()
    for row, found in zip(matrix.toarray(), kept, strict=True):
        assert sorted(found[found > 0]) == sorted(sorted(row[row > 0])[-k:])


def test_the_lower_column_wins_a_tie() -> None:
    assert best_entries(sparse.csr_matrix([[1.0, 2.0, 1.0]]), 2).toarray().tolist() == [[1.0, 2.0, 0.0]]


def test_damaged_histories_are_refused(tmp_path: Path) -> None:
    prepared = planted_shop()
    trainer = UserKnnTrainer(UserKnnConfig(), HistoryWeights())
    trainer.write(trainer.train(training_states(prepared, prepared.split.test), 16), tmp_path)
    np.save(tmp_path / "indices.npy", np.array([99], dtype=np.int32))
    with pytest.raises(ReleaseError, match="end elsewhere"):
        UserKnn.load(tmp_path, Catalogue(prepared.items))
