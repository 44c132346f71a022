"""Counts and curves of a classifier, by hand and against scikit-learn."""

import numpy as np
import pytest
from kfp.dsl import ClassificationMetrics
from sklearn.metrics import confusion_matrix, roc_curve

from components.common.classified import POINTS, classified

SIDES = ("no", "yes")


def test_by_hand() -> None:
    """Four said to be sure by .9, .6, .4 and .1; the first and the third were."""
    found = classified(np.array([0.9, 0.6, 0.4, 0.1]), np.array([True, False, True, False]), 0.5, SIDES)
    assert found.confusion == [[1, 1], [1, 1]]
    assert found.roc == [[0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1], [1, 0.9, 0.6, 0.4, 0.1]]


def test_what_was_not_said_is_said_to_be_no() -> None:
    found = classified(np.array([np.nan, 0.7, np.nan]), np.array([True, True, False]), 0.5, SIDES)
    assert found.confusion == [[1, 0], [1, 1]]
    assert [found.roc[0][-1], found.roc[1][-1]] == [1, 1]


@pytest.mark.parametrize("size", [10, 3000])
def test_as_another_library_counts(size: int) -> None:
    drawn = np.random.default_rng(size)
    truth = np.arange(size) % 3 == 0
    said = np.clip(drawn.normal(truth * 0.3, 0.3), 0, 1).round(2)
    found = classified(said, truth, 0.25, SIDES)
    assert found.confusion == confusion_matrix(truth, said > 0.25).tolist()
    false, true, least = roc_curve(truth, said, drop_intermediate=False)
    known = {round(float(at), 6): (x, y) for x, y, at in zip(false[1:], true[1:], least[1:], strict=True)}
    assert len(found.roc[0]) <= POINTS + 1
    for x, y, at in list(zip(*found.roc, strict=True))[1:]:
        assert (x, y) == pytest.approx(known[round(at, 6)])
    assert (found.roc[0][-1], found.roc[1][-1]) == (1, 1)


def test_kubeflow_takes_it() -> None:
    artifact = ClassificationMetrics(name="reviews", uri="file:///tmp/reviews")
    classified(np.array([0.9, 0.1]), np.array([True, False]), 0.5, SIDES).log(artifact)
    matrix = artifact.metadata["confusionMatrix"]
    assert [row["row"] for row in matrix["rows"]] == [[1, 0], [0, 1]]
    assert [one["displayName"] for one in matrix["annotationSpecs"]] == ["no", "yes"]
    assert [one["recall"] for one in artifact.metadata["confidenceMetrics"]] == [0, 1, 1]
