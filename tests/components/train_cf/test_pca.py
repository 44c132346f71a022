import numpy as np
from scipy import sparse

from components.train_cf.pca import PcaConfig, PcaTrainer, column_norms, decompose
from serving.members.history import HistoryWeights
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

DAY = 86_400_000_000


def states_of(seed: int, users: int, n_items: int) -> UserStates:
    rng = np.random.default_rng(seed)
    items = np.concatenate([np.sort(rng.choice(n_items, 4, replace=False)) for _ in range(users)]).astype(np.int32)
    at = np.zeros(len(items), dtype=np.int64)
    return UserStates(
        ("",) * users,
        np.arange(users + 1) * 4,
        items,
        at,
        at,
        np.ones(len(items), np.float32),
        np.zeros(users, np.int64),
    )


def test_the_decomposition_is_the_singular_value_decomposition() -> None:
    matrix = sparse.random(90, 40, density=0.2, random_state=2, format="csr", dtype=np.float32)
    values, vectors = decompose(matrix, 5, seed=0)
    _, expected, right = np.linalg.svd(matrix.toarray())
    np.testing.assert_allclose(values, expected[:5], rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(vectors * right[:5].T, axis=0)), 1.0, atol=1e-2)


def test_with_all_directions_new_items_score_as_in_ease() -> None:
    states, n = states_of(0, 60, 10), 10
    matrix = states.matrix(np.ones(len(states.items), np.float32), n).toarray().astype(np.float64)
    trainer = PcaTrainer(PcaConfig(embedding_size=50, reg=0.7, popularity_power=0.0, half_life=None), HistoryWeights())
    member = trainer.train(states, n)
    scores = member.score_all(Queries(RECOMMEND, states)) * matrix.sum(axis=1, keepdims=True)
    inverse = np.linalg.inv(matrix.T @ matrix + 0.7 * (matrix**2).sum() / n * np.eye(n))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0.0)
    new = matrix == 0
    np.testing.assert_allclose(scores[new], (matrix @ ease)[new], atol=1e-4)


def test_popularity_is_taken_out_of_the_interest_and_put_back() -> None:
    states = states_of(1, 60, 10)
    plain, damped = (
        PcaTrainer(PcaConfig(embedding_size=3, popularity_power=power), HistoryWeights()).train(states, 10)
        for power in (0.0, 0.5)
    )
    norms = column_norms(states.matrix(np.ones(len(states.items), np.float32), 10))
    np.testing.assert_allclose(damped.source, norms**-0.5, rtol=1e-5)
    np.testing.assert_allclose(plain.source, 1.0)


def test_fewer_users_than_directions_are_enough() -> None:
    member = PcaTrainer(PcaConfig(), HistoryWeights()).train(states_of(2, 1, 10), 10)
    assert np.isfinite(member.inputs).all()
    assert np.isfinite(member.outputs).all()


def test_norms_worked_by_hand() -> None:
    found = column_norms(sparse.csr_matrix([[3.0, 0.0], [4.0, 0.0]]))
    np.testing.assert_allclose(found, [5.0, 1.0])
