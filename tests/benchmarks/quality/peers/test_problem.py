import numpy as np
import pytest
from peer_cases import DAY, problem_of
from scipy import sparse

from benchmarks.quality.peers.problem import Labelled, filled, lists
from serving.arrays import Floats, Longs

NOW = 100


def test_interest_halves_with_days() -> None:
    """User 0 met item 0 on days 90 and 100, item 1 on day 80; the half-life is 10 days."""
    problem = problem_of([(0, 0, 90, 0), (0, 0, 100, 1), (0, 1, 80, 2)], now=NOW)
    linear = problem.learned(10.0, "linear").toarray()[0]
    assert linear[:2] == pytest.approx([1.5, 0.25])
    assert problem.learned(10.0, "log").toarray()[0, :2] == pytest.approx(np.log1p([1.5, 0.25]))
    assert problem.learned(10.0, "once").toarray()[0, :2] == pytest.approx([1.0, 0.25])
    assert problem.learned(None, "linear").toarray()[0, :2] == pytest.approx([2.0, 1.0])


def test_interest_halves_with_the_users_own_visits() -> None:
    problem = problem_of([(0, 0, 1, 0), (0, 1, 2, 1), (0, 2, 3, 2), (1, 0, 90, 0)], now=NOW, clock="visits")
    assert problem.learned(1.0, "once").toarray()[0, :3] == pytest.approx([0.25, 0.5, 1.0])
    assert problem.learned(1.0, "once").toarray()[1, 0] == 1.0


def test_asking_has_the_asked_users_only() -> None:
    problem = problem_of([(0, 0, 1, 0), (2, 1, 1, 0)], now=NOW, asked=[2])
    assert problem.asking(None, "once").toarray()[:, :2].tolist() == [[0.0, 1.0]]


def test_what_a_peer_cannot_score_follows_by_popularity() -> None:
    scores = np.array([[5.0, np.nan, 7.0, np.nan], [np.nan] * 4, [-1e6, np.nan, 3e6, np.nan]], dtype=np.float32)
    popularity = np.array([0.1, 0.2, 0.0, 0.9], dtype=np.float32)
    order = np.argsort(-filled(scores, popularity), axis=1).tolist()
    assert order == [[2, 0, 3, 1], [3, 1, 0, 2], [2, 0, 3, 1]]


def test_lists_hide_what_was_seen_and_end_with_padding() -> None:
    seen = sparse.csr_matrix(np.array([[0, 1, 0, 0]], dtype=np.float32))
    problem = problem_of([(0, 1, 1, 0), (0, 3, 1, 0)], now=NOW, asked=[0], seen=seen, n_items=4)

    def score(rows: Longs) -> Floats:
        return np.full((len(rows), 4), [0.5, 9.0, 0.7, np.nan], dtype=np.float32)

    listed = lists(problem, score)
    assert listed.shape == (1, 20)
    assert listed[0, :4].tolist() == [2, 0, 3, -1]


def test_ndcg_is_the_projects_own() -> None:
    labelled = Labelled(
        problem_of([(0, 0, 1, 0)], now=NOW), sparse.csr_matrix(np.array([[0, 1, 0, 1], [0, 0, 0, 0]], np.float32))
    )
    found = labelled.ndcg(np.array([[2, 1, -1], [0, 1, 2]], dtype=np.int32))
    assert found[0] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))
    assert np.isnan(found[1])


def test_halves_share_nobody() -> None:
    problem = problem_of([(user, 0, 1, 0) for user in range(5)], now=NOW, asked=list(range(5)))
    lessons, exam = Labelled(problem, sparse.csr_matrix(np.eye(5, dtype=np.float32))).halves()
    assert lessons.problem.asked.tolist() == [0, 2, 4]
    assert exam.problem.asked.tolist() == [1, 3]
    assert exam.relevant.toarray().argmax(axis=1).tolist() == [1, 3]


def test_moments_are_microseconds() -> None:
    assert problem_of([(0, 0, 1, 0)], now=2).train.at.tolist() == [DAY]
