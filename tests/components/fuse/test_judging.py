"""Judging by raw scores alone, by hand."""

import numpy as np
import pytest

from components.fuse.judging import judge_alone
from components.fuse.lists import FitSet


def lists(scores: list[list[float]]) -> FitSet:
    """One list of three candidates, the last is padding; the first is wanted."""
    table = np.array(scores, np.float32).T[None]
    names = tuple("abcdefg"[: table.shape[2]])
    labels = np.array([[1, 0, 0]], np.float32)
    return FitSet(names, table, np.array([[True, True, False]]), labels, np.ones(1, int), np.zeros(1, int))


def test_a_member_alone_is_judged_by_the_order_of_its_scores() -> None:
    """a has it first, b second, c does not score it, d scores nothing, e would have padding first."""
    nothing = np.nan
    fit = lists([[2, 1, 0], [1, 2, 0], [nothing, 1, 0], [nothing] * 3, [1, 0, 9]])
    found = {name: values.tolist() for name, values in judge_alone([fit, fit]).items()}
    second = pytest.approx(1 / np.log2(3))
    assert found == {"a": [1, 1], "b": [second] * 2, "c": [0, 0], "d": [0, 0], "e": [1, 1]}
