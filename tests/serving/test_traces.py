"""Histories beside candidates: which entries are read, how near a candidate is, users of several catalogues."""

import numpy as np

from serving.arrays import PAD
from serving.states import UserStates
from serving.traces import MOST, Traces

VECTORS = np.array([[3, 0], [0, 2], [1, 1], [0, 0]], dtype=np.float32)  # the last item has no vector


def states(*histories: list[int]) -> UserStates:
    return UserStates.from_items(histories, 0)


def trace(candidates: list[list[int]], *histories: list[int]) -> Traces:
    batch = states(*histories)
    ages = np.arange(len(batch.items), dtype=np.float32)
    return Traces.of(VECTORS, batch, ages, np.array(candidates, dtype=np.int32))


def test_a_candidate_is_as_near_as_the_cosine_says() -> None:
    near = trace([[0, 2, 3]], [0, 1]).near()
    half = np.sqrt(0.5)
    np.testing.assert_allclose(near[0], [[1, 0], [half, half], [0, 0]], atol=1e-6)


def test_padding_is_near_to_nothing() -> None:
    found = trace([[0, PAD], [1, 0]], [0], [1, 2])
    assert found.items.tolist() == [[0, PAD], [1, 2]]
    assert found.known.tolist() == [[True, False], [True, True]]
    np.testing.assert_allclose(found.near()[0], [[1, 0], [0, 0]], atol=1e-6)
    assert not found.marks[0, 1].any()


def test_only_the_newest_entries_are_read() -> None:
    long = [0] * 10 + [1] * MOST
    assert set(trace([[0]], long).items[0].tolist()) == {1}
    assert trace([[0]], long).items.shape == (1, MOST)


def test_marks_are_logs_of_ages_and_visits() -> None:
    np.testing.assert_allclose(trace([[0]], [0, 1]).marks[0], [[0, np.log(2)], [np.log(2), np.log(2)]], atol=1e-6)


def test_nobody_has_a_history() -> None:
    found = trace([[0], [1]], [], [])
    assert found.near().shape == (2, 1, 0)


def test_users_of_two_catalogues_keep_their_own_vectors() -> None:
    other = np.array([[1, 0], [1, 0]], dtype=np.float32)
    first = trace([[0, 1]], [0, 1])
    second = Traces.of(other, states([1]), np.zeros(1, np.float32), np.array([[0, PAD]], dtype=np.int32))
    both = Traces.join([first, second, first])
    assert len(both) == 3
    assert len(both.vectors) == 6  # those of the first are kept once
    np.testing.assert_allclose(both.near()[1], [[1, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(both.near()[[0, 2]], np.repeat(first.near(), 2, axis=0), atol=1e-6)
    np.testing.assert_allclose(
        both.take(np.array([2])).of_places(np.array([[1]])).near(), first.near()[:, 1:], atol=1e-6
    )
