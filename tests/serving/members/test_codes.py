import numpy as np
import pytest

from serving import kernels
from serving.arrays import PAD, top_k
from serving.hidden import Hidden
from serving.members.codes import Coded, codes_of

pytestmark = pytest.mark.skipif(not kernels.there, reason="the compiled loops are not there: no C compiler was found")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("items", "d"), [(5, 3), (400, 64), (3_001, 33), (9_000, 128)])
def test_the_best_are_those_of_whole_rows(seed: int, items: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(items, d)) * rng.lognormal(0, 2, (items, 1))).astype(np.float32)
    if seed % 3 == 1:
        vectors = np.round(vectors)  # ties, and items of nothing but zeros
    asked, bias = rng.normal(size=(3, d)).astype(np.float32), rng.normal(size=items).astype(np.float32)
    asked[1] = np.nan
    bias[rng.random(items) < 0.1] = np.nan
    mask = rng.random(items) < 0.2
    own = np.array([0, 2, 2]), np.array([0, 1, 2], dtype=np.int32)
    hidden = Hidden(mask, np.flatnonzero(mask), (), (own,))
    whole = Coded(codes_of(vectors, None), asked, bias, hidden)
    rows = whole.at(np.broadcast_to(np.arange(items, dtype=np.int32), (3, items)))
    most = np.abs(asked) @ np.abs(vectors).T + np.abs(bias)
    assert not (np.abs(rows - (asked.astype(np.float64) @ vectors.T + bias)) > 1e-6 * most).any()
    hidden.apply(rows)
    assert whole.best(100).tolist() == top_k(rows, 100).tolist()
    assert (whole.best(100)[1] == PAD).all()


def test_items_that_share_a_vector() -> None:
    rng = np.random.default_rng(0)
    vectors, place = rng.normal(size=(50, 16)).astype(np.float32), rng.integers(0, 50, 300).astype(np.int32)
    asked, bias = rng.normal(size=(1, 16)).astype(np.float32), rng.normal(size=300).astype(np.float32)
    whole = Coded(codes_of(vectors, place), asked, bias, Hidden.nothing(300))
    expected = asked @ vectors[place].T + bias
    assert whole.best(20)[0].tolist() == np.argsort(-expected[0], kind="stable")[:20].tolist()
    scores = whole.at(np.array([[3, PAD, 299]], dtype=np.int32))[0]
    np.testing.assert_allclose(scores, [expected[0, 3], np.nan, expected[0, 299]], atol=1e-5)


def test_a_coarse_product_is_no_further_off_than_it_says() -> None:
    rng = np.random.default_rng(3)
    vectors, asked = rng.normal(size=(2_000, 48)).astype(np.float32), rng.normal(size=(4, 48)).astype(np.float32)
    items, bias = codes_of(vectors, None), np.zeros(2_000, np.float32)
    coarse = kernels.coarse(asked, items, bias)
    np.testing.assert_array_equal(kernels.coarse(asked, items, bias, plain=True), coarse)  # without the instruction
    step, half = np.abs(asked).max(axis=1) / 127, np.abs(asked).sum(axis=1) / 2
    slack = half[:, None] * items.off[0] + step[:, None] * items.off[1]
    off = np.abs(coarse - asked.astype(np.float64) @ vectors.T)
    assert (off <= slack * 1.001).all()
    assert off.max() > slack.max() / 20  # the bound is not a mere large number


def test_a_batch_says_what_single_questions_say() -> None:
    rng = np.random.default_rng(4)
    vectors, asked = rng.normal(size=(500, 20)).astype(np.float32), rng.normal(size=(7, 20)).astype(np.float32)
    asked[2] = np.nan
    items, bias = codes_of(vectors, rng.integers(0, 500, 900).astype(np.int32)), np.zeros(900, np.float32)
    together = kernels.coarse(asked, items, bias)
    for row in range(len(asked)):
        np.testing.assert_array_equal(kernels.coarse(asked[row : row + 1], items, bias)[0], together[row])
    assert np.isnan(together[2]).all()
    assert (kernels.refined(asked, items, bias, together, 5)[2] == PAD).all()
