import numpy as np
import pandas as pd

from components.train_cf.cooccurrence import CooccurrenceConfig, CooccurrenceTrainer, Visits, visit_links
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


def test_a_window_longer_than_the_shop_is_harmless() -> None:
    links = visit_links(np.array([0, 0, 1]), PLAIN.model_copy(update={"window": 50})).toarray()
    np.testing.assert_allclose(links, np.array([[3, 1, 0], [0.5, 3, 0], [0, 0, 3]]))
