import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.train_cf import cooccurrence
from components.train_cf.cooccurrence import CooccurrenceConfig, CooccurrenceTrainer, Visits, lag_weights
from serving.arrays import Floats
from serving.members.history import HistoryWeights

PLAIN = CooccurrenceConfig(
    window=2, distance_power=1.0, backward=0.5, same_visit=3.0, visit_power=0.0, own_power=0.0, other_power=0.0
)
ORDER = HistoryWeights(clock="visits")


def visits_of(rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["user", "visit", "item"])
    return frame.assign(at=frame["visit"] * 86_400_000_000)


def gram(rows: list[tuple[int, int, int]], config: CooccurrenceConfig, n_items: int = 4) -> Floats:
    visits = Visits.of(visits_of(rows), n_items, 0, ORDER)
    found: Floats = CooccurrenceTrainer(config, ORDER).train(visits).similarity.toarray()
    return found


def test_pairs_of_a_sequence_worked_by_hand() -> None:
    found = gram([(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3)], PLAIN) * np.log2(4 + 2)
    expected = [[0, 1, 0.5, 0.0], [0.5, 0, 1, 0.5], [0.25, 0.5, 0, 1], [0.0, 0.25, 0.5, 0]]
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6)


def test_order_inside_a_visit_means_nothing() -> None:
    found = gram([(0, 0, 0), (0, 0, 1), (0, 1, 2)], PLAIN, 3) * np.log2(3 + 2)
    np.testing.assert_allclose(found, np.array([[0, 3, 1], [3, 0, 1], [0.5, 0.5, 0]]), rtol=1e-6)


def test_users_do_not_mix() -> None:
    found = gram([(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)], PLAIN)
    assert found[:2, 2:].sum() == found[2:, :2].sum() == 0
    assert found[0, 1] == found[2, 3] > 0


def test_popularity_is_damped_by_shrunk_powers() -> None:
    rows = [(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 2)]
    damped = PLAIN.model_copy(update={"own_power": 0.5, "other_power": 1.0, "shrink": 2.0})
    found, plain = gram(rows, damped, 3), gram(rows, PLAIN, 3)
    np.testing.assert_allclose(found[0, 1], plain[0, 1] / (2 + 2) ** 0.5 / (1 + 2), rtol=1e-6)


def test_old_visits_teach_less() -> None:
    rows = [(0, 0, 0), (0, 1, 1), (0, 2, 2)]
    config = PLAIN.model_copy(update={"learning_half_life": 1.0, "backward": 0.0})
    found, plain = gram(rows, config, 3), gram(rows, PLAIN.model_copy(update={"backward": 0.0}), 3)
    np.testing.assert_allclose(found[0, 1] / plain[0, 1], 0.25, rtol=1e-6)
    np.testing.assert_allclose(found[1, 2] / plain[1, 2], 0.5, rtol=1e-6)


def test_only_the_best_neighbours_are_kept() -> None:
    config = PLAIN.model_copy(update={"neighbours": 1})
    found = gram([(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3)], config)
    assert [np.flatnonzero(row).tolist() for row in found] == [[1], [2], [3], [2]]


def test_lags_worked_by_hand() -> None:
    np.testing.assert_allclose(lag_weights(PLAIN), [0.25, 0.5, 3.0, 1.0, 0.5])


def test_a_window_longer_than_the_shop_is_harmless() -> None:
    rows = [(0, 0, 0), (0, 1, 1), (1, 0, 2)]
    np.testing.assert_array_equal(gram(rows, PLAIN.model_copy(update={"window": 50})), gram(rows, PLAIN))


def by_definition(frame: pd.DataFrame, config: CooccurrenceConfig, n_items: int) -> Floats:
    """The sum of the class's description, pair by pair; visits are numbered per user without gaps."""
    found = np.zeros((n_items, n_items))
    met = np.bincount(frame["item"], minlength=n_items) + config.shrink
    for _, own in frame.groupby("user"):
        number = own["visit"].rank(method="dense").astype(int)
        size = own.groupby("visit")["item"].transform("size") ** -config.visit_power
        length = own["item"].nunique()
        entries = list(zip(number, own["item"], size, strict=True))
        for (a, i, x), (b, j, y) in itertools.product(entries, entries):
            if i == j or abs(b - a) > config.window:
                continue
            near = config.same_visit if a == b else abs(b - a) ** -config.distance_power
            learnt = 0.5 ** ((number.max() - a) / (config.learning_half_life or np.inf))
            direction = config.backward if b < a else 1.0
            damping = met[i] ** -config.own_power * met[j] ** -config.other_power
            found[i, j] += x * y * near * direction * learnt / np.log2(length + 2) * damping
    values: Floats = found.astype(np.float32)
    return values


ENTRIES = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(ENTRIES, st.integers(0, 4), st.sampled_from([None, 2.0]), st.integers(1, 40))
def test_the_sums_are_those_of_the_definition_however_they_are_cut(
    entries: set[tuple[int, int, int]], window: int, learning: float | None, work: int
) -> None:
    config = CooccurrenceConfig(window=window, learning_half_life=learning, shrink=1.0)
    rows = sorted(entries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cooccurrence, "WORK", work)
        found = gram(rows, config, 6)
    np.testing.assert_allclose(found, by_definition(visits_of(rows), config, 6), rtol=1e-5)


def test_of_an_endless_basket_the_nearest_entries_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "REACH", 2)
    found = gram([(0, 0, item) for item in range(6)], PLAIN, 6)
    assert [np.flatnonzero(row).tolist() for row in found[:3]] == [[1, 2], [0, 2, 3], [0, 1, 3, 4]]


def test_work_is_bounded_by_the_entries() -> None:
    rows = [(0, 0, item) for item in range(5_000)]
    pairs = cooccurrence.Pairs(Visits.of(visits_of(rows), 5_000, 0, ORDER), PLAIN)
    assert pairs.work.max() == 2 * cooccurrence.REACH + 1


def test_nothing_to_learn_from_gives_no_neighbours() -> None:
    member = CooccurrenceTrainer(PLAIN, ORDER).train(Visits.of(visits_of([]).astype("int32"), 4, 0, ORDER))
    assert member.similarity.shape == (4, 4)
    assert member.similarity.nnz == 0
    assert len(member.unknown) == 4
