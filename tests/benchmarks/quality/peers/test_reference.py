import numpy as np
import pytest
from peer_cases import problem_of
from scipy import sparse

from benchmarks.quality.peers import reference
from benchmarks.quality.peers.base import CannotRunError
from benchmarks.quality.peers.problem import Labelled, Problem, lists
from benchmarks.quality.peers.reference import ease, periodicity, personal_frequency, popularity

NOW = 100
EASE = {"reg": 2.0, "half_life": None, "learning_half_life": None, "counts": "linear"}


def no_lessons(problem: Problem) -> Labelled:
    return Labelled(problem, sparse.csr_matrix((len(problem), problem.n_items)))


def random_problem(users: int, items: int) -> Problem:
    rng = np.random.default_rng(users)
    rows = [(user, int(item), 1, 0) for user in range(users) for item in rng.permutation(items)[:3]]
    return problem_of(rows, NOW, list(range(users)), n_items=items)


@pytest.mark.parametrize(("users", "items"), [(6, 11), (12, 7)])
def test_ease_is_the_least_squares_item_model_with_a_zero_diagonal(users: int, items: int) -> None:
    """Each column solves its own ridge regression on the other items, whichever matrix was inverted."""
    problem = random_problem(users, items)
    x = problem.learned(None, "linear").toarray().astype(np.float64)
    expected = np.zeros((items, items))
    for item in range(items):
        others = np.delete(np.arange(items), item)
        part = x[:, others]
        expected[others, item] = np.linalg.solve(part.T @ part + 2.0 * np.eye(items - 1), part.T @ x[:, item])
    found = ease(problem, EASE, no_lessons(problem)).score(np.arange(users))
    np.testing.assert_allclose(found, x @ expected, atol=1e-5)


def test_ease_says_when_a_shop_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "LARGEST", 5)
    problem = random_problem(6, 11)
    with pytest.raises(CannotRunError, match="6 rows here; more than 5"):
        ease(problem, EASE, no_lessons(problem))


def test_personal_frequency_counts_visits_and_knows_nothing_else() -> None:
    problem = problem_of([(0, 0, 90, 0), (0, 0, 100, 1), (0, 1, 100, 1)], NOW)
    found = personal_frequency(problem, {"half_life": 10.0}, no_lessons(problem)).score(np.array([0]))
    assert found[0, :2].tolist() == pytest.approx([1.5, 1.0])
    assert np.isnan(found[0, 2:]).all()


def test_periodicity_prefers_what_is_due_to_what_was_just_bought_and_to_what_was_given_up() -> None:
    """All three came four times: item 0 every 10 days and just now, item 1 every 20 and due, item 2 daily, long ago."""
    often = [(0, 0, day, n) for n, day in enumerate((70, 80, 90, 100))]
    due = [(0, 1, day, n) for n, day in enumerate((20, 40, 60, 80))]
    lapsed = [(0, 2, day, n) for n, day in enumerate((20, 21, 22, 23))]
    problem = problem_of([*often, *due, *lapsed], NOW)
    params = {"half_life": None, "early": 0.25, "late": 0.5, "prior": 1.0}
    listed = lists(problem, periodicity(problem, params, no_lessons(problem)).score)
    assert listed[0, 0] == 1
    assert set(listed[0, 1:3]) == {0, 2}


def test_popularity_is_what_sells_lately() -> None:
    problem = problem_of([(0, 0, 1, 0), (1, 0, 1, 0), (2, 1, 99, 0)], NOW)
    first = {
        half_life: int(lists(problem, popularity(problem, params, no_lessons(problem)).score)[0, 0])
        for half_life, params in {age: {"half_life": age, "counts": "once"} for age in (None, 10.0)}.items()
    }
    assert first == {None: 0, 10.0: 1}
