import numpy as np
import pandas as pd

from components.train_cf.user_knn import UserKnnConfig, UserKnnTrainer, latest_users
from serving.members.history import HistoryWeights
from serving.states import UserStates

DAY = 86_400_000_000


def states_of(rows: list[tuple[int, int, int]], users: int) -> UserStates:
    """(user, item, day) a row."""
    frame = pd.DataFrame(rows, columns=["user", "item", "at"]).assign(weight=1.0)
    return UserStates.from_visits(frame.assign(at=frame["at"] * DAY), np.arange(users), 10 * DAY)


def test_the_users_met_last_are_kept() -> None:
    states = states_of([(0, 0, 9), (1, 0, 3), (1, 1, 8), (3, 1, 9), (4, 0, 8)], 5)
    assert latest_users(states, 2).tolist() == [0, 3]
    assert latest_users(states, 3).tolist() == [0, 1, 3]
    assert latest_users(states, 99).tolist() == [0, 1, 3, 4]


def test_a_release_holds_the_newest_of_each_history_and_no_more_users_than_asked() -> None:
    states = states_of([(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 9)], 2)
    config = UserKnnConfig(newest=2, users=9, learning_half_life=None, popularity_power=0.0)
    member = UserKnnTrainer(config, HistoryWeights()).train(states, 4)
    assert (member.interest.toarray() > 0).tolist() == [[False, True, True, False], [True, False, False, False]]
    assert member.known.tolist() == [True, True, True, False]
    assert (
        UserKnnTrainer(config.model_copy(update={"users": 1}), HistoryWeights()).train(states, 4).interest.shape[0] == 1
    )


def test_old_interest_counts_less() -> None:
    member = UserKnnTrainer(UserKnnConfig(learning_half_life=5.0), HistoryWeights()).train(
        states_of([(0, 0, 0), (0, 1, 10)], 1), 2
    )
    np.testing.assert_allclose(member.interest.toarray(), [[0.25, 1.0]])
