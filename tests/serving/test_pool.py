import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from serving.arrays import PAD, Floats, top_k
from serving.pool import Pool

TIED = np.array([[1.0, 2.0, 2.0, 2.0, -np.inf]], dtype=np.float32)


def pool(members: tuple[str, ...]) -> Pool:
    scores = np.zeros((1, 5, 2), dtype=np.float32)
    scores[0, :, 1] = [9, 1, 5, 5, 7]
    return Pool(np.array([[0, 1, 2, 3, PAD]], dtype=np.int32), scores, members, {})


def test_of_equals_the_more_popular_comes_first_then_the_lower_row() -> None:
    assert pool(("als", "popularity")).best(TIED, 5).tolist() == [[2, 3, 1, 0, PAD]]
    assert pool(("als", "popularity")).best(TIED, 2).tolist() == [[2, 3]]


def test_without_popularity_the_lower_row_decides() -> None:
    assert pool(("als", "knn")).best(TIED, 5).tolist() == [[1, 2, 3, 0, PAD]]


def test_without_ties_it_is_the_plain_order() -> None:
    totals = np.random.default_rng(0).permutation(600).reshape(3, 200).astype(np.float32)
    scores = np.random.default_rng(1).random((3, 200, 1)).astype(np.float32)
    many = Pool(np.tile(np.arange(200, dtype=np.int32), (3, 1)), scores, ("popularity",), {})
    np.testing.assert_array_equal(many.best(totals, 50), top_k(totals, 50))


@given(
    arrays(np.float32, (3, 12), elements=st.sampled_from([0.0, -0.0, 1.5, -2.0, float("-inf"), 3e-39])),
    arrays(np.float32, (3, 12), elements=st.sampled_from([0.0, 1.0, 2.0, float("nan")])),
    st.integers(1, 15),
)
def test_equals_are_ordered_by_popularity_then_by_row(totals: Floats, popular: Floats, k: int) -> None:
    pool = Pool(np.tile(np.arange(12, dtype=np.int32), (3, 1)), popular[:, :, None], ("popularity",), {})
    order = np.lexsort((-popular, -totals), axis=1)[:, :k]
    hidden = np.isneginf(np.take_along_axis(totals, order, axis=1))
    np.testing.assert_array_equal(pool.best(totals, k), np.where(hidden, PAD, order))
