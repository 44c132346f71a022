import numpy as np
from member_contract import planted_shop

from components.train_cf.histories import training_states
from components.train_cf.repurchase import Examples, RepurchaseConfig, RepurchaseTrainer, examples_of, logistic
from serving.states import UserStates

DAY = 86_400_000_000


def test_the_logistic_fit_finds_the_odds() -> None:
    # of 40 with x = 0 ten are positive, of 40 with x = 1 thirty: intercept log(1/3), slope log(9)
    table = np.repeat([0.0, 1.0], 40)[:, None]
    labels = np.tile(np.arange(40), 2) < np.repeat([10, 30], 40)
    np.testing.assert_allclose(logistic(table, labels, 1e-9, 20), [-np.log(3), np.log(9)], atol=1e-6)


def test_separable_and_one_sided_examples_stay_finite() -> None:
    table = np.linspace(-50, 50, 30)[:, None]
    assert np.isfinite(logistic(table, table[:, 0] > 0, 1.0, 12)).all()
    assert np.isfinite(logistic(table, np.zeros(30, dtype=bool), 1.0, 12)).all()


def test_item_habits_worked_by_hand() -> None:
    states = UserStates(
        ("a", "b"),
        np.array([0, 2, 3]),
        np.array([0, 1, 0], np.int32),
        np.array([0, 20, 20]) * DAY,
        np.array([0, 0, 0]) * DAY,
        np.array([1, 3, 2], np.float32),
        np.array([20, 20]) * DAY,
    )
    interval, again, recent = RepurchaseTrainer(RepurchaseConfig(prior_users=1, recent_half_life=20)).habits(states, 3)
    usual = (20 + 20) / 3  # two spans of 20 days hold two gaps and one
    np.testing.assert_allclose(interval, [(20 + usual) / 2, (20 + usual) / 3, usual], rtol=1e-6)
    share = (2 + 0.5) / 4
    np.testing.assert_allclose(1 / (1 + np.exp(-again)), [(1 + share) / 3, (1 + share) / 2, share], rtol=1e-6)
    np.testing.assert_allclose(recent, np.log1p([1.5, 1.0, 0.0]), rtol=1e-6)


def test_without_examples_often_and_lately_decide() -> None:
    prepared = planted_shop()
    trainer = RepurchaseTrainer(RepurchaseConfig())
    states = training_states(prepared, prepared.split.test)
    empty = Examples(states.take(np.empty(0, np.int64)), np.empty(0, dtype=bool))
    member = trainer.train(empty, states, 16)
    assert np.isfinite(np.concatenate([member.interval, member.again, member.recent])).all()
    assert (member.coefficients[1] > 0) & (member.coefficients[2] < 0)


def test_examples_are_what_came_again_in_the_last_window() -> None:
    prepared = planted_shop()
    examples = examples_of(prepared, prepared.split.test)
    assert len(examples.again) == examples.states.indptr[-1] == 48 * 4
    assert not examples.again.any()  # the fifth visit brings the fifth item of the group: none twice
