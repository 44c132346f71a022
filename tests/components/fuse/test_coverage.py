"""Worth and coverage by hand, and when coverage decides."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from components.fuse.coverage import REACHES, Trade, catalogue_size, reaching, trades, widest
from components.fuse.lists import Contexts, FitSet
from components.fuse.methods import single
from serving.blend import Blend, apply, held_back, popular
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.evidence import Evidence
from serving.states import UserStates

NAMES = ("same", "own", "popularity")
N, C = 4, 30


def fit() -> FitSet:
    """Everybody gets items 0 to 9 from `same`; `own` starts at 0, 5, 10, 15. Item 5 alone sold; all want item 9."""
    scores = np.zeros((N, C, 3), np.float32)
    scores[:, :, 0] = -np.arange(C)
    scores[:, :, 1] = [np.roll(-np.arange(C), 5 * row) for row in range(N)]
    scores[:, 5, 2] = 100.0
    frame = {"category": [""] * C, "brand": [""] * C, "price_norm": np.zeros(C, np.float32)}
    candidates = np.tile(np.arange(C, dtype=np.int32), (N, 1))
    contexts = Contexts(
        ContextReader(Catalogue(pd.DataFrame(frame)), True), UserStates.from_items([[]] * N, 0), candidates
    )
    labels = np.zeros((N, C), np.float32)
    labels[:, 9] = 1
    return FitSet(NAMES, scores, np.ones((N, C), bool), labels, np.ones(N, int), np.arange(N), contexts)


def test_worth_and_distinct_items_are_counted_at_every_reach() -> None:
    table = {name: single(name, NAMES) for name in ("same", "own")}
    found = trades([fit()], [np.array([0, 0, 1, 1])], [table, table])
    assert set(found) == {(name, reach) for name in table for reach in REACHES}
    assert found["same", 0.0].covers == 10
    assert found["own", 0.0].covers == 25
    assert found["same", 0.0].worth == pytest.approx(1 / np.log2(11))  # the tenth of all lists
    assert found["same", REACHES[-1]].worth == pytest.approx(1 / np.log2(10))  # item 5 went
    assert found["same", REACHES[-1]].covers == 10


def test_without_a_catalogue_nothing_is_shown() -> None:
    known = fit()
    blind = FitSet(NAMES, known.scores, known.valid, known.labels, known.n_relevant, known.groups)
    assert trades([blind], [np.zeros(N, int)], [{"own": single("own", NAMES)}])["own", 0.0].covers == 0
    assert (catalogue_size([known]), catalogue_size([blind])) == (C, 0)


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
    plain = single("own", NAMES)
    rest = Blend(kind="one", members=NAMES[1:], weights=plain.weights[1:])
    far = reaching(plain.model_copy(update={"without": {"same": rest}}), 0.5)
    evidence = fit().evidence(np.arange(N))
    change = apply(far, evidence) - apply(plain, evidence)
    held = held_back(evidence, apply(plain, evidence).sum(axis=2))
    np.testing.assert_allclose(change[..., 2], -0.5 * held, atol=1e-6)
    assert held[0, 5] == 1
    assert held[1, 5] == 0  # the first of its list, however popular
    assert not change[..., [0, 1, 3]].any()
    np.testing.assert_allclose(popular(evidence)[0, 4:7], [0, 1, 0])
    assert far.without["same"].reach == 0.5
    assert not popular(evidence.of(("own",))).any()


def options(**methods: tuple[float, int]) -> dict[tuple[str, float], Trade]:
    """The same at every reach."""
    return {(name, reach): Trade(*trade) for name, trade in methods.items() for reach in REACHES}


def test_in_a_broad_shop_a_blend_nearly_as_good_that_shows_more_is_taken() -> None:
    chosen = partial(widest, member="knn", n_items=2000)
    found = options(
        network=(0.0400, 500), greedy=(0.0395, 510), least=(0.0370, 1001), voting=(0.036, 1100), knn=(0.03, 1000)
    )
    assert chosen(found)[0] == "least"
    assert chosen(found | {("network", 0.0): Trade(0.04, 1000)})[0] == "network"
    held_back = {("network", reach): Trade(0.0371 - reach / 1e4, int(500 * reach)) for reach in REACHES[1:]}
    assert chosen(found | held_back | {("network", 2.0): Trade(0.0371, 1000)}) == ("network", 2.0)
    assert chosen(options(network=(0.04, 500), least=(0.0367, 1000), knn=(0.03, 1000)))[0] == "network"
    short = options(network=(0.04, 500), meta=(0.0371, 800), least=(0.0369, 990), voting=(0.03, 1100), knn=(0.03, 1000))
    assert chosen(short)[0] == "least"  # none of the good ones shows enough: the one that shows most


def test_elsewhere_less_is_given_for_less() -> None:
    found = options(network=(0.0400, 50), least=(0.0381, 80), knn=(0.03, 100))
    assert widest(found, "knn", 2000)[0] == "least"
    assert widest(options(network=(0.0400, 50), least=(0.0379, 80), knn=(0.03, 100)), "knn", 2000)[0] == "network"
    assert widest(options(network=(0.0400, 50), least=(0.0381, 79), knn=(0.03, 100)), "knn", 2000)[0] == "network"
    assert widest(options(network=(0.0400, 0), knn=(0.03, 0)), "knn", 0)[0] == "network"


def test_the_popular_is_held_back_where_that_is_better_and_no_further() -> None:
    found = options(network=(0.04, 900), knn=(0.03, 1000))
    assert widest(found, "knn", 20_000) == ("network", REACHES[0])
    assert widest(found | {("network", 1.0): Trade(0.0401, 950)}, "knn", 20_000) == ("network", 1.0)
