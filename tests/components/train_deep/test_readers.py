"""What towers read: one pass over a history equals reading it again at every entry, whatever the design."""

from typing import get_args

import numpy as np
import pytest

from components.train_deep.attention import spans
from components.train_deep.config import DeepConfig, Encoder
from components.train_deep.model import UserTower
from serving.arrays import Floats, Ints

LENGTH, SIZE = 5, 8
AGES = np.array([[-1, 3, 1, 1, 0], [4, 3, 2, 1, 0], [-1, -1, -1, -1, 0]], dtype=np.int32)


def tower_of(encoder: str) -> UserTower:
    """An encoder's tower whose every weight says something."""
    tower = UserTower(DeepConfig.parse({"encoder": encoder, "embedding_size": SIZE, "dropout": 0.5}, "test"))
    tower(*seen(LENGTH))
    rng = np.random.default_rng(1)
    for variable in tower.trainable_variables:
        variable.assign(variable + rng.normal(scale=0.3, size=variable.shape).astype(np.float32))
    return tower


def seen(width: int) -> tuple[Floats, Ints]:
    """The oldest *width* columns of three histories, their ages counted from the last of those."""
    vectors = np.random.default_rng(0).normal(size=(*AGES.shape, SIZE)).astype(np.float32)
    history = np.where((AGES >= 0)[..., None], vectors, np.float32(0))[:, :width]
    ages = np.where(AGES >= 0, AGES - AGES[:, width - 1 : width], -1)[:, :width]
    return history, ages.astype(np.int32)


@pytest.mark.parametrize("encoder", get_args(Encoder))
def test_one_pass_reads_what_serving_would_read_at_every_entry(encoder: str) -> None:
    tower = tower_of(encoder)
    every = np.asarray(tower(*seen(LENGTH), every=True))
    assert every.shape == (*AGES.shape, SIZE)
    for width in range(1, LENGTH + 1):
        there = AGES[:, width - 1] >= 0
        last = np.asarray(tower(*seen(width)))[:, 0]
        np.testing.assert_allclose(every[there, width - 1], last[there], atol=1e-5, rtol=0)


@pytest.mark.parametrize("encoder", get_args(Encoder))
def test_padding_says_nothing(encoder: str) -> None:
    tower = tower_of(encoder)
    history, ages = seen(LENGTH)
    wide = np.concatenate([np.zeros_like(history), history], axis=1)
    wider = np.concatenate([np.full_like(ages, -1), ages], axis=1)
    np.testing.assert_allclose(np.asarray(tower(wide, wider)), np.asarray(tower(history, ages)), atol=1e-5, rtol=0)


def test_a_tower_starts_as_the_mean_that_fades_with_age() -> None:
    tower = UserTower(DeepConfig(encoder="transformer", embedding_size=SIZE, forgetting=0.7))
    history, ages = seen(LENGTH)
    weight = np.where(ages >= 0, np.exp(-0.7 * ages), 0)[..., None]
    expected = (weight * history).sum(axis=1) / weight.sum(axis=1)
    np.testing.assert_allclose(np.asarray(tower(history, ages))[:, 0], expected, atol=1e-5)


def test_layers_are_left_out_in_training_alone() -> None:
    tower = tower_of("transformer")
    served, trained, again = (np.asarray(tower(*seen(LENGTH), training=t)) for t in (False, True, True))
    assert np.abs(trained - served).max() > 1e-3
    assert np.abs(trained - again).max() > 1e-3


def test_spans_count_visits_back_from_each_moment() -> None:
    assert np.asarray(spans(AGES[:1], every=True))[0].tolist() == [
        [-1, -1, -1, -1, -1], [-1, 0, -1, -1, -1], [-1, 2, 0, -1, -1], [-1, 2, 0, 0, -1], [-1, 3, 1, 1, 0]
    ]  # fmt: skip
    assert np.asarray(spans(AGES[:1], every=False)).tolist() == [[[-1, 3, 1, 1, 0]]]
