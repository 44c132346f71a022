from pathlib import Path

import numpy as np
import pytest
from member_contract import DAY, START, MemberContract, planted_events, planted_shop, planted_states

from components.common import columns as c
from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_cf.histories import training_states
from components.train_cf.repurchase import RepurchaseConfig, RepurchaseTrainer, examples_of
from serving.arrays import Bools, Ints
from serving.catalogue import Catalogue
from serving.members.repurchase import FEATURES, Repurchase, features
from serving.queries import Queries
from serving.states import UserStates


def habits(prepared: Prepared) -> Prepared:
    """Item = user % 3 at every visit; one of the next group once, long ago."""
    events = planted_events(0)
    events[c.ITEM] = np.where(events[c.VISIT] == 0, (events[c.USER] + 1) % 3, events[c.USER] % 3).astype(np.int32)
    return Prepared(events, prepared.items, prepared.users, prepared.split, prepared.shop)


class TestRepurchase(MemberContract):
    member = Repurchase
    config = RepurchaseConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        trainer = RepurchaseTrainer(RepurchaseConfig())
        examples, states = examples_of(prepared, cut), training_states(prepared, cut)
        trainer.write(trainer.train(examples, states, len(prepared.items)), folder)

    @pytest.fixture
    def prepared(self) -> Prepared:
        return habits(planted_shop())

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        """The habit outranks what was bought once."""
        right: Bools = (users % 3)[:, None] == np.arange(len(prepared.items))[None, :]
        return right


def test_only_the_own_history_is_scored() -> None:
    prepared = habits(planted_shop())
    cut = prepared.split.test
    trainer = RepurchaseTrainer(RepurchaseConfig())
    member = trainer.train(examples_of(prepared, cut), training_states(prepared, cut), len(prepared.items))
    scores = member.score_all(Queries("recommend", planted_states(prepared, cut, [0, 1])))
    assert np.flatnonzero(np.isfinite(scores[0])).tolist() == [0, 1]
    assert np.flatnonzero(np.isfinite(scores[1])).tolist() == [1, 2]


def test_features_of_an_entry_worked_by_hand() -> None:
    states = UserStates(
        ("u",),
        np.array([0, 1]),
        np.array([0], np.int32),
        np.array([START]),
        np.array([START - 20 * DAY]),
        np.array([3.0], np.float32),
        np.array([START + 9 * DAY]),
    )
    found = dict(
        zip(FEATURES, features(states, *(np.array([value], np.float32) for value in (4, -1, 2)))[0], strict=True)
    )
    assert found["log visits"] == pytest.approx(np.log(4))
    assert found["log days since the last"] == pytest.approx(np.log(10))
    # three visits in 20 days and one prior interval of 4 days: (20 + 4) / (2 + 1) = 8 days
    assert found["due: log of days since over the usual interval"] == pytest.approx(np.log(10 / 9))
    assert found["log-odds that the item is bought again"] == -1


def test_coefficients_of_another_version_are_refused(tmp_path: Path) -> None:
    arrays = np.zeros(16, np.float32)
    RepurchaseTrainer(RepurchaseConfig()).write(Repurchase(arrays, arrays, arrays, np.zeros(3, np.float32)), tmp_path)
    with pytest.raises(ReleaseError, match="train it again"):
        Repurchase.load(tmp_path, Catalogue(planted_shop().items))
