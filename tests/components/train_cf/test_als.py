import numpy as np
import torch
from member_contract import planted_shop
from scipy import sparse

from components.train_cf.als import AlsConfig, AlsTrainer, solve
from components.train_cf.histories import training_states
from serving.members.history import HistoryWeights
from serving.queries import Queries

ALPHA, REG = 3.0, 0.7


def naive(weights: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Dense weighted ridge regression, one row at a time: confidence 1 + alpha w, target 1 where w > 0."""
    rows = []
    for row in weights:
        confidence = np.diag(1 + ALPHA * row)
        left = fixed.T @ confidence @ fixed + REG * np.eye(fixed.shape[1])
        rows.append(np.linalg.solve(left, fixed.T @ confidence @ (row > 0)))
    return np.array(rows)


def test_a_sweep_solves_the_normal_equations() -> None:
    rng = np.random.default_rng(0)
    weights = rng.random((40, 50)) * (rng.random((40, 50)) < np.linspace(0, 0.9, 40)[:, None])
    fixed = rng.normal(size=(50, 8))
    found = solve(sparse.csr_matrix(weights), torch.tensor(fixed, dtype=torch.float32), ALPHA, REG)
    assert {1 << 1, 1 << 5} <= {1 << int(np.ceil(np.log2(max(n, 1)))) for n in (weights > 0).sum(axis=1)}
    np.testing.assert_allclose(found.numpy(), naive(weights, fixed), atol=2e-5)


def test_one_observation_worked_by_hand() -> None:
    # d = 1, items 1 and 2, the user met item 2 with weight 1: x = (1+3) 2 / (1 + 4 + 3*4 + 0.7)
    found = solve(sparse.csr_matrix([[0.0, 1.0]]), torch.tensor([[1.0], [2.0]]), ALPHA, REG)
    np.testing.assert_allclose(found.numpy(), [[8 / 17.7]], rtol=1e-6)


def test_served_scores_equal_the_trained_form() -> None:
    prepared = planted_shop()
    states = training_states(prepared, prepared.split.test)
    config = AlsConfig(embedding_size=6, reg=0.3, half_life=30.0, learning_half_life=30.0)
    trainer = AlsTrainer(config, HistoryWeights())
    member = trainer.train(states, 16)
    factors = torch.from_numpy(member.factors)
    users = solve(states.matrix(trainer.learning.weights(states), 16), factors, config.alpha, config.reg)
    served = member.score_all(Queries("recommend", states))
    np.testing.assert_allclose(served[:, :15], (users @ factors.T).numpy()[:, :15], atol=1e-5)
    assert np.isnan(served[:, 15]).all()


def test_seeds_differ_and_threads_are_given_back() -> None:
    prepared = planted_shop()
    states = training_states(prepared, prepared.split.test)
    before = torch.get_num_threads()
    one, two = (AlsTrainer(AlsConfig(epochs=1, seed=seed), HistoryWeights()).train(states, 16) for seed in (1, 2))
    assert torch.get_num_threads() == before
    assert not np.array_equal(one.factors, two.factors)
