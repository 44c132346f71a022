from pathlib import Path

import numpy as np
import pytest
from member_contract import MemberContract, planted_shop
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared, visit_items
from components.train_cf.cooccurrence import CooccurrenceConfig, CooccurrenceTrainer, Visits
from components.train_cf.histories import clock_of, now_of
from serving.catalogue import Catalogue
from serving.members.cooccurrence import Cooccurrence
from serving.members.history import HistoryWeights
from serving.queries import SIMILAR, Queries
from serving.states import UserStates


class TestCooccurrence(MemberContract):
    member = Cooccurrence
    config = CooccurrenceConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        history = HistoryWeights(clock=clock_of(prepared))
        visits = visit_items(prepared.train(cut), prepared.shop)
        trainer = CooccurrenceTrainer(CooccurrenceConfig(), history)
        member = trainer.train(Visits.of(visits, len(prepared.items), now_of(prepared, cut), history))
        trainer.write(member, folder)


class TestCooccurrenceOrdered(TestCooccurrence):
    protocol = "leave-one-out"


def by_hand(half_life: float | None = None) -> Cooccurrence:
    """Item 0 leads to 1 with 2 and to 2 with 1; item 3 is unknown."""
    similarity = sparse.csr_matrix(np.array([[0, 2, 1, 0], [0, 0, 4, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    known = np.array([True, True, True, False])
    return Cooccurrence(similarity, known, HistoryWeights(clock="visits", half_life=half_life, counted=False))


def test_scores_add_up_over_the_decayed_history() -> None:
    states = UserStates(
        ("u",),
        np.array([0, 2]),
        np.array([0, 1], np.int32),
        np.array([1, 2]),
        np.array([1, 2]),
        np.ones(2, np.float32),
        np.array([3]),
    )
    scores = by_hand(half_life=1.0).score_all(Queries("recommend", states))
    np.testing.assert_allclose(scores, [[0.0, 0.5 * 2, 0.5 * 1 + 4, np.nan]])


def test_anchors_answer_similar_items() -> None:
    scores = by_hand().score_all(Queries(SIMILAR, UserStates.from_items([[0], [2], []], 5)))
    np.testing.assert_allclose(scores, [[0, 2, 1, np.nan], [np.nan] * 4, [np.nan] * 4])


def test_neighbours_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    CooccurrenceTrainer(CooccurrenceConfig(), HistoryWeights()).write(by_hand(), tmp_path)
    with pytest.raises(ReleaseError, match="4 items found, 16 expected"):
        Cooccurrence.load(tmp_path, Catalogue(planted_shop().items))
