"""Worth and coverage by hand, and when coverage decides."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from components.fuse.coverage import REACHES, SEATS, Option, Trade, catalogue_size, expected, spread, trades, widest
from components.fuse.lists import Contexts, FitSet
from components.fuse.methods import single
from serving.blend import Blend
from serving.catalogue import Catalogue
from serving.context import ContextReader
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
    found = trades([fit()], [np.array([0, 0, 1, 1])], [table, table], "own")
    assert set(found) == {(name, reach, seats) for name in table for reach in REACHES for seats in SEATS}
    assert found[Option("same", 0.0, 0)].covers == 10
    assert found[Option("own", 0.0, 0)].covers == 25
    assert found[Option("same", 0.0, 0)].worth == pytest.approx(1 / np.log2(11))  # the tenth of all lists
    assert found[Option("same", REACHES[-1], 0)].worth == pytest.approx(1 / np.log2(10))  # item 5 went
    assert found[Option("same", REACHES[-1], 0)].covers == 10


def test_seats_show_what_the_host_likes() -> None:
    """The tenth place goes to item 9, 9, 10 and 15: the first of `own` that has no place and did not sell."""
    found = trades([fit()], [np.zeros(N, int)], [{"same": single("same", NAMES)}], "own")
    trade = found[Option("same", 0.0, 1)]
    assert trade.worth == pytest.approx(0.5 / np.log2(11))
    assert trade.covers == 12


def test_items_are_those_that_everyone_would_be_shown() -> None:
    """`own` shows 25 items in four lists: ten in one of them, fifteen in two."""
    table = {"own": single("own", NAMES)}
    few, many = (trades([fit()], [np.zeros(N, int)], [table], "own", everyone=n) for n in (3, 1_000))
    option = Option("own", 0.0, 0)
    assert (few[option].covers, few[option].worth) == (25, many[option].worth)
    assert many[option].covers == pytest.approx(25 + 3 / 4 * 10**2 / (2 * 15), abs=0.01)


def test_without_a_catalogue_nothing_is_shown() -> None:
    known = fit()
    blind = FitSet(NAMES, known.scores, known.valid, known.labels, known.n_relevant, known.groups)
    assert (
        trades([blind], [np.zeros(N, int)], [{"own": single("own", NAMES)}], "own")[Option("own", 0.0, 0)].covers == 0
    )
    assert (catalogue_size([known]), catalogue_size([blind])) == (C, 0)


def test_a_spread_blend_has_a_reach_and_seats_where_their_host_is_there() -> None:
    plain = single("own", NAMES)
    rest = Blend(kind="one", members=NAMES[1:], weights=plain.weights[1:])
    far = spread(plain.model_copy(update={"without": {"same": rest}}), 0.5, 2, "same")
    assert (far.reach, far.seats, far.host) == (0.5, 2, "same")
    assert (far.without["same"].reach, far.without["same"].seats, far.without["same"].host) == (0.5, 0, "")


@pytest.mark.parametrize(("everyone", "wanted"), [(4, 6), (5, 6.6), (1_000_000, 6 + 3 / 4 * 9 / 2)])
def test_what_all_users_would_be_shown_is_estimated_from_what_was_shown_once_and_twice(
    everyone: int, wanted: float
) -> None:
    """Four lists of three items each showed 6: three once, one twice; 27/8 are unseen by Chao's estimate."""
    counts = np.array([1, 1, 1, 2, 3, 4, 0, 0, 0, 0, 0])
    unseen = 3 / 4 * 9 / 2
    assert 6 + unseen * (1 - (1 - 3 / (4 * unseen + 3)) ** 1) == pytest.approx(6.6136, abs=1e-3)
    assert expected(counts, 4, everyone) == pytest.approx(wanted, abs=0.02)


def test_no_more_is_estimated_than_there_is() -> None:
    assert expected(np.array([1, 1, 1, 0]), 1, 10**6) == 3
    assert expected(np.array([1, 1, 1, 1]), 2, 10**6) == 4
    assert expected(np.array([2, 2, 0]), 2, 10**6) == 2


def test_an_estimate_from_a_part_is_near_what_the_whole_shows() -> None:
    random = np.random.default_rng(0)
    liked = np.argsort(random.gumbel(size=(6_000, 900)) - 1.5 * np.log1p(np.arange(900)), axis=1)[:, -10:]
    counts = [np.bincount(liked[:n].ravel(), minlength=900) for n in (1_000, 6_000)]
    assert expected(counts[0], 1_000, 6_000) == pytest.approx((counts[1] > 0).sum(), rel=0.1)
    assert (counts[0] > 0).sum() < 0.85 * (counts[1] > 0).sum()


def options(**methods: tuple[float, int]) -> dict[Option, Trade]:
    """The same at every reach, without seats."""
    return {Option(name, reach, 0): Trade(*trade) for name, trade in methods.items() for reach in REACHES}


def test_in_a_broad_shop_a_blend_nearly_as_good_that_shows_more_is_taken() -> None:
    chosen = partial(widest, member="knn", n_items=2000, users=3000)
    found = options(
        network=(0.0400, 500), greedy=(0.0395, 510), least=(0.0370, 1001), voting=(0.036, 1100), knn=(0.03, 1000)
    )
    assert chosen(found)[0] == "least"
    assert chosen(found | {Option("network", 0.0, 0): Trade(0.04, 1000)})[0] == "network"
    held_back = {Option("network", reach, 0): Trade(0.0371 - reach / 1e4, int(500 * reach)) for reach in REACHES[1:]}
    assert chosen(found | held_back | {Option("network", 2.0, 0): Trade(0.0371, 1000)}) == ("network", 2.0, 0)
    assert chosen(options(network=(0.04, 500), least=(0.0367, 1000), knn=(0.03, 1000)))[0] == "network"
    short = options(network=(0.04, 500), meta=(0.0371, 800), least=(0.0369, 990), voting=(0.03, 1100), knn=(0.03, 1000))
    assert chosen(short)[0] == "least"  # none of the good ones shows enough: the one that shows most


def test_where_items_outnumber_users_four_fifths_of_the_best_member_s_are_enough() -> None:
    found = options(network=(0.0400, 850), least=(0.0390, 1001), knn=(0.03, 1000))
    assert widest(found, "knn", 2000, 2001)[0] == "least"
    assert widest(found, "knn", 2000, 2000)[0] == "network"


def test_elsewhere_less_is_given_for_less() -> None:
    found = options(network=(0.0400, 50), least=(0.0381, 80), knn=(0.03, 100))
    assert widest(found, "knn", 2000, 3000)[0] == "least"
    assert widest(options(network=(0.0400, 50), least=(0.0379, 80), knn=(0.03, 100)), "knn", 2000, 3000)[0] == "network"
    assert widest(options(network=(0.0400, 50), least=(0.0381, 79), knn=(0.03, 100)), "knn", 2000, 3000)[0] == "network"
    assert widest(options(network=(0.0400, 0), knn=(0.03, 0)), "knn", 0, 3000)[0] == "network"


def test_the_popular_is_held_back_where_that_is_better_and_no_further() -> None:
    found = options(network=(0.04, 900), knn=(0.03, 1000))
    assert widest(found, "knn", 20_000, 30_000) == ("network", REACHES[0], 0)
    assert widest(found | {Option("network", 1.0, 0): Trade(0.0401, 950)}, "knn", 20_000, 30_000) == ("network", 1.0, 0)


def test_what_is_averaged_when_it_serves_counts_for_more_here_too() -> None:
    found = options(network=(0.04, 900), attention=(0.03985, 900), knn=(0.03, 1000))
    assert widest(found, "knn", 20_000, 30_000)[0] == "attention"
    assert (
        widest(options(network=(0.04, 900), attention=(0.0397, 900), knn=(0.03, 1000)), "knn", 20_000, 30_000)[0]
        == "network"
    )
