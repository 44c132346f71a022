import numpy as np
import pandas as pd
import torch
from member_contract import planted_shop

from components.train_cf.bpr import REACH, BprConfig, BprTrainer, Examples
from components.train_cf.histories import training_states
from serving.members.history import HistoryWeights
from serving.states import UserStates

DAY = 86_400_000_000


def test_examples_look_back_on_earlier_moments_only() -> None:
    rows = [(0, 5, 0), (0, 6, 1), (0, 7, 1), (0, 8, 2), (1, 9, 0)]
    frame = pd.DataFrame(rows, columns=["user", "item", "at"]).assign(weight=1.0)
    states = UserStates.from_visits(frame.assign(at=frame["at"] * DAY), np.arange(2), 9 * DAY)
    examples = Examples.of(states, HistoryWeights(clock="days", half_life=1.0))
    history, shares, target = examples.batch(np.arange(len(examples)))
    assert target.tolist() == [6, 7, 8]
    found = [
        dict(zip(row[share > 0].tolist(), share[share > 0].tolist(), strict=True))
        for row, share in zip(history, shares, strict=True)
    ]
    assert found[0] == found[1] == {5: 1.0}
    np.testing.assert_allclose([found[2][item] for item in (5, 6, 7)], [0.2, 0.4, 0.4])  # half as old counts double
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)


def test_examples_reach_back_so_far() -> None:
    frame = pd.DataFrame({"user": 0, "item": np.arange(REACH + 9), "at": np.arange(REACH + 9) * DAY, "weight": 1.0})
    states = UserStates.from_visits(frame, np.arange(1), 99 * DAY)
    history, _, target = Examples.of(states, HistoryWeights()).batch(np.array([REACH + 7]))
    assert target.tolist() == [REACH + 8]
    assert history[0].tolist() == list(range(8, REACH + 8))


def test_seeds_differ_and_threads_are_given_back() -> None:
    states = training_states(planted_shop(), planted_shop().split.test)
    before = torch.get_num_threads()
    config = BprConfig(embedding_size=4, steps=2)
    one, two = (
        BprTrainer(config.model_copy(update={"seed": seed}), HistoryWeights()).train(states, 16) for seed in (1, 2)
    )
    assert torch.get_num_threads() == before
    assert not np.array_equal(one.inputs, two.inputs)


def test_a_loss_worked_by_hand() -> None:
    # user (1), next item scores 1 * 2 + 0.5, the negative 1 * 1 + 0: softplus(-1.5); the next item drawn does not count
    trainer = BprTrainer(BprConfig(embedding_size=1, reg=0.0), HistoryWeights())
    inputs = torch.nn.Parameter(torch.tensor([[1.0], [0.0], [0.0]]))
    outputs = torch.nn.Parameter(torch.tensor([[0.0, 0.0], [2.0, 0.5], [1.0, 0.0]]))
    batch = (np.array([[0]]), np.array([[1.0]], np.float32), np.array([1]))
    loss = trainer._loss(batch, np.array([2, 1]), inputs, outputs)
    np.testing.assert_allclose(loss.item(), np.log1p(np.exp(-1.5)), rtol=1e-6)


def test_without_examples_the_vectors_stay_as_drawn() -> None:
    states = training_states(planted_shop(), planted_shop().split.test).take(np.empty(0, np.int64))
    member = BprTrainer(BprConfig(embedding_size=4), HistoryWeights()).train(states, 16)
    assert np.isfinite(member.inputs).all()
    assert not member.known.any()
