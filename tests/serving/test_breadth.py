"""What a reach takes and whom seats lift, by hand."""

import numpy as np
import pytest

from serving.arrays import PAD, top_k
from serving.blend import FEATURES, HISTORY, Blend
from serving.breadth import AMONG, PAGE, held_back, lift, liked, popular, seated
from serving.evidence import Evidence
from serving.verdict import apply, totals

NAMES = ("same", "own", "popularity")
N, C = 4, 30


def evidence() -> Evidence:
    """`same` likes 0, 1, ... best; `own` starts at 0, 5, 10, 15. Item 5 sold most, the others 29, 28, ... 0 times."""
    scores = np.zeros((N, C, 3), np.float32)
    scores[:, :, 0] = -np.arange(C)
    scores[:, :, 1] = [np.roll(-np.arange(C), 5 * row) for row in range(N)]
    scores[:, :, 2] = np.arange(C)[::-1]
    scores[:, 5, 2] = 100.0
    return Evidence.without_context(NAMES, scores, np.ones((N, C), bool))


def blend(**more: object) -> Blend:
    weights = np.zeros((3, len(FEATURES)))
    weights[0, 0] = 1.0
    return Blend.model_validate({"kind": "same", "members": NAMES, "weights": weights.tolist()} | more)


def test_a_reach_takes_nothing_of_the_first_a_third_of_the_second_two_of_the_third_and_all_of_the_rest() -> None:
    scores = np.full((2, 5, 1), 7.0, np.float32)
    evidence = Evidence.without_context(
        ("popularity",), scores, np.array([[True] * 5, [True, False, True, True, False]])
    )
    total = np.array([[1, 5, 4, 3, 2], [1, 9, 3, 2, 9]], np.float32)
    found = held_back(evidence, total)
    np.testing.assert_allclose(found[0], [1, 0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(found[1], [2 / 3, 0, 0, 1 / 3, 0])


def test_a_reach_takes_by_the_logarithm_of_what_sold_and_from_popularity_alone() -> None:
    seen = evidence()
    change = apply(blend(reach=0.5), seen) - apply(blend(), seen)
    held = held_back(seen, apply(blend(), seen).sum(axis=2))
    np.testing.assert_allclose(change[..., 2], -0.5 * held, atol=1e-6)
    assert held[1, 5] == 1
    assert held[0, 0] == 0  # the first of its list, however popular
    assert not change[..., [0, 1, 3]].any()
    np.testing.assert_allclose(popular(seen)[0, [5, 29]], [1, 0])
    assert not popular(seen.of(("own",))).any()


def test_of_the_hosts_best_without_a_place_the_least_sold_take_the_seats() -> None:
    """`own` likes 0, 1, ... in the first list; in the third 10, 11, ...: there 19 sells least of its best ten."""
    seen = evidence()
    order = np.tile(np.arange(C, dtype=np.int32), (N, 1))
    new = seated(order, liked(seen, "own"), popular(seen), 1)
    assert new[0, :PAGE].tolist() == [*range(9), 18]  # the best ten without a place are 9 to 18
    assert new[2, :PAGE].tolist() == [*range(9), 19]
    assert new[2, PAGE:].tolist() == [9, *range(10, 19), *range(20, 30)]
    two = seated(order, liked(seen, "own"), popular(seen), 2)
    assert two[2, :PAGE].tolist() == [*range(8), 19, 18]
    np.testing.assert_array_equal(seated(order, liked(seen, "own"), popular(seen), 0), order)
    assert AMONG == 10


@pytest.mark.parametrize("seats", [1, 2, 3])
def test_what_is_lifted_gives_that_order(seats: int) -> None:
    seen, plain = evidence(), blend()
    total = totals(plain, seen)
    wanted = seated(top_k(total, C), liked(seen, "own"), popular(seen), seats)
    fused = blend(seats=seats, host="own")
    np.testing.assert_array_equal(top_k(totals(fused, seen), C), wanted)
    parts = apply(fused, seen)
    np.testing.assert_array_equal(top_k(parts.sum(axis=2), C), wanted)
    assert (parts[..., :-1] == apply(plain, seen)[..., :-1]).all()
    assert ((parts[..., -1] != 0).sum(axis=1) == seats).all()  # it belongs to no member


def test_short_lists_and_an_absent_host_seat_nobody() -> None:
    seen = evidence()
    total = totals(blend(), seen)
    assert not lift(seen.of(("same", "popularity")), total, "own", 2).any()
    assert not lift(seen.of(("same", "own")), total, "own", 2).any()
    few = Evidence.without_context(NAMES, seen.scores, np.arange(C) < np.array([[9], [10], [11], [12]]))
    lifted = lift(few, total, "own", 1)
    assert (lifted != 0).sum(axis=1).tolist() == [0, 0, 1, 1]
    assert (top_k(np.where(few.valid, total + lifted, -np.inf).astype(np.float32), PAGE) != PAD).sum() == 9 + 30


def test_whom_the_blend_for_strangers_answers_nobody_is_seated_for() -> None:
    seen = evidence()
    seen.context[:2, :, HISTORY] = 1.0
    mixed = blend(seats=2, host="own", strangers=blend())
    lifted = apply(mixed, seen)[..., -1]
    assert ((lifted != 0).sum(axis=1) == [2, 2, 0, 0]).all()
    np.testing.assert_allclose(totals(mixed, seen), apply(mixed, seen).sum(axis=2), atol=1e-5)


def test_nor_for_whom_the_blend_for_newcomers_answers() -> None:
    seen = evidence()
    seen.context[:, :, HISTORY] = np.log1p([1, 2, 3, 4])[:, None]
    mixed = blend(seats=2, host="own", newcomers=dict.fromkeys((1, 2, 3), blend()))
    assert ((apply(mixed, seen)[..., -1] != 0).sum(axis=1) == [0, 0, 0, 2]).all()


def test_seats_need_a_host_that_the_blend_knows() -> None:
    with pytest.raises(ValueError, match="the seats are of 'nobody'"):
        blend(seats=1, host="nobody")
