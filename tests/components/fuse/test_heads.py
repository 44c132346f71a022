"""Heads: short lists whole, long ones by their best, what is relevant and a sample that stands for the rest."""

import numpy as np
import pytest
from gated_lists import lists_of, planted
from hypothesis import given
from hypothesis import strategies as st

from components.fuse.heads import BEST, REST, Heads, varying
from components.fuse.lists import Lists
from components.fuse.softmax import Listwise
from serving.context import CONTEXT

ONES = np.ones(12)


def whole(lists: Lists) -> Listwise:
    n, c, k, used = lists.x.shape
    return Listwise.of(lists.x.reshape(n, c, k * used), lists.gain, lists.valid)


def cut(heads: Heads) -> Listwise:
    return Listwise(heads.x.reshape(-1, heads.x.shape[2]), heads.share, heads.bar)


def test_a_short_list_is_kept_whole() -> None:
    lists = planted(n=20)
    loss, slope = cut(Heads.of(lists, ONES)).loss(ONES)
    assert loss == pytest.approx(whole(lists).loss(ONES)[0], rel=1e-5)
    np.testing.assert_allclose(slope, whole(lists).loss(ONES)[1], atol=1e-5)


@given(st.integers(1, 400), st.integers(0, 20), st.integers(0, 99))
def test_what_is_kept_stands_for_all_candidates(c: int, relevant: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    gain = np.zeros((1, c), dtype=np.float32)
    gain[0, random.permutation(c)[: max(relevant, 1)]] = 1.0
    scores = random.normal(size=(1, c, 3)).astype(np.float32)
    heads = Heads.of(lists_of(scores, gain, np.zeros((1, c, len(CONTEXT)), np.float32)), ONES)
    assert heads.share.shape[1] <= BEST + REST
    assert np.exp(heads.bar).sum() == pytest.approx(c, rel=1e-4)
    assert heads.share.sum() == pytest.approx(1.0)
    assert np.count_nonzero(heads.share) == np.count_nonzero(gain)


def test_the_best_and_the_relevant_stand_for_themselves() -> None:
    c = 300
    scores = np.arange(c, 0, -1, dtype=np.float32)[None, :, None]  # candidate 0 is the best
    gain = np.zeros((1, c), dtype=np.float32)
    gain[0, 299] = 3.0
    context = np.zeros((1, c, len(CONTEXT)), dtype=np.float32)
    context[0, :, 0] = np.arange(c)
    heads = Heads.of(lists_of(scores, gain, context), np.ones(4))
    kept = heads.context[0, :, 0].astype(int)
    assert kept[: BEST + 1].tolist() == [*range(BEST), 299]
    assert not heads.bar[0, : BEST + 1].any()
    assert heads.share[0, BEST] == 1.0
    assert heads.bar[0, BEST + 1 :] == pytest.approx(np.log((c - BEST - 1) / (REST - 1)))
    gaps = np.diff(kept[BEST + 1 :])
    assert set(gaps.tolist()) <= {7, 8}


def test_the_cut_loss_is_close_to_the_whole_one() -> None:
    lists = planted(n=60, c=400)
    weights = np.tile([4.0, 2.0, 0.0, 0.0], 3)
    assert cut(Heads.of(lists, weights)).loss(weights)[0] == pytest.approx(whole(lists).loss(weights)[0], rel=0.02)


def test_padding_never_counts() -> None:
    lists = planted(n=4, c=30)
    lists.valid[:, 20:] = False
    lists.gain[:, 20:] = 0
    lists.gain[:, 0] = 1
    heads = Heads.of(lists, ONES)
    assert np.isfinite(heads.bar).sum(axis=1).tolist() == [20] * 4


def test_only_what_varies_is_an_input() -> None:
    columns, mean, spread = varying(planted())
    assert [CONTEXT[column] for column in columns] == ["history", "price"]
    assert mean == pytest.approx([2.0, 0.0], abs=0.15)
    assert spread == pytest.approx([4 / np.sqrt(12), 1.0], abs=0.1)
    quiet = planted(n=5)
    assert not len(varying(lists_of(quiet.scores, quiet.gain, quiet.context, moments=False))[0])
