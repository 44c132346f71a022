from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from benchmarks.by_numpy import by_numpy
from components.train_cf import linear
from components.train_cf.cooccurrence import Visits
from components.train_cf.linear import LinearConfig, LinearTrainer, Normal, gatherer, regress
from serving.members.history import HistoryWeights
from serving.states import UserStates

ORDER = HistoryWeights(clock="visits")
EVER = LinearConfig(reg=2.0, half_life=None, learning_half_life=None)


def visits_of(rows: list[tuple[int, int]]) -> pd.DataFrame:
    """One visit a row: (user, item)."""
    frame = pd.DataFrame(rows, columns=["user", "item"])
    frame["visit"] = frame.groupby("user").cumcount()
    return frame.assign(at=frame["visit"] * 86_400_000_000, weight=1.0)


def trained(rows: list[tuple[int, int]], config: LinearConfig, n_items: int) -> np.ndarray:
    visits = visits_of(rows)
    states = UserStates.from_visits(visits, np.unique(visits["user"].to_numpy()).astype(np.int64), 0)
    found = LinearTrainer(config, ORDER).train(states, Visits.of(visits, n_items, 0, ORDER), n_items)
    weights: np.ndarray = found.similarity.toarray()
    return weights


def random_rows(seed: int, n_items: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return [(user, item) for user in range(40) for item in rng.choice(n_items, 5, replace=False).tolist()]


def test_with_all_neighbours_it_is_the_ridge_regression_on_what_came_with_the_item() -> None:
    rows, n = random_rows(1, 12), 12
    matrix = np.zeros((40, n))
    matrix[tuple(np.array(rows).T)] = 1.0
    found = trained(rows, EVER, n)
    gram = matrix.T @ matrix
    for item in range(n):
        others = np.flatnonzero((gram[item] > 0) & (np.arange(n) != item))
        left = gram[np.ix_(others, others)] + 2.0 * np.eye(len(others))
        np.testing.assert_allclose(found[others, item], np.linalg.solve(left, gram[others, item]), atol=1e-5)
    assert (np.diag(found) == 0).all()
    assert (found < 0).any()


def test_two_items_worked_by_hand() -> None:
    # three users met item 0, two of them then item 1: 2 / (3 + 2), and back 2 / (2 + 2)
    found = trained([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)], EVER, 2)
    np.testing.assert_allclose(found, [[0, 2 / 5], [2 / 4, 0]], rtol=1e-6)


def test_with_a_window_what_comes_next_is_explained() -> None:
    config = EVER.model_copy(update={"window": 2, "backward": 0.0})
    found = trained([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)], config, 2)
    pair, alone = 1 / np.log2(2 + 2), 1 / np.log2(1 + 2)
    np.testing.assert_allclose(found, [[0, 2 * pair / (2 * pair + alone + 2)], [0, 0]], rtol=1e-5)


def test_only_the_most_telling_neighbours_are_kept() -> None:
    rows = [(user, 0) for user in range(9)] + [(user, 1) for user in range(6)] + [(user, 2) for user in range(6, 8)]
    found = trained(rows, EVER.model_copy(update={"neighbours": 1}), 3)
    assert [np.flatnonzero(column).tolist() for column in found.T] == [[1], [0], [0]]


def test_items_beyond_the_sources_are_explained_but_explain_nothing() -> None:
    rows = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    found = trained(rows, EVER.model_copy(update={"sources": 2}), 3)
    assert (found[2] == 0).all()
    assert found[0, 2] > 0


@pytest.mark.parametrize("way", [nullcontext, by_numpy])
def test_the_sparse_gram_gives_what_the_dense_one_gives(
    way: Callable[[], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = sparse.random(80, 60, density=0.2, random_state=4, format="csr", dtype=np.float32)
    gram, chosen = (half.T @ half).tocsr(), np.array([0, 7, 8, 31, 59])
    dense = gatherer(gram)(chosen)
    whole = regress(Normal(gram, gram, np.arange(60)), 1.0, 10).toarray()
    monkeypatch.setattr(linear, "DENSE", 1)
    with way():
        part = gatherer(gram)
        for some in (chosen, chosen[:2], chosen):  # what the first left behind would be in the next
            np.testing.assert_array_equal(part(some), gram.toarray()[np.ix_(some, some)])
    np.testing.assert_allclose(dense, gram.toarray()[np.ix_(chosen, chosen)], rtol=1e-6)
    np.testing.assert_allclose(regress(Normal(gram, gram, np.arange(60)), 1.0, 10).toarray(), whole, atol=1e-5)


def test_of_an_endless_history_the_newest_items_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "NEWEST", 2)
    found = trained([(0, 0), (0, 1), (0, 2)], EVER, 3)
    assert (found[0] == 0).all()
    assert found[1, 2] > 0
