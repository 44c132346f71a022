from dataclasses import replace

import numpy as np
import pytest
from planted_lists import N, lists_of, planted

from benchmarks.quality.lists import NDCG
from benchmarks.quality.missing import ablation, against_best, matrix
from benchmarks.quality.pooled import Pooled, best, gains, ladder, oracle, segments
from components.evaluate.bootstrap import paired


def test_a_gain_is_the_ratio_of_means_with_the_houses_interval() -> None:
    pooled = Pooled((planted(),), seed=3)
    ours, theirs = pooled.values("fused"), pooled.values("member/als")
    gain = pooled.gain(ours, theirs)
    expected = paired(ours, theirs, 3)
    assert gain is not None
    assert expected is not None
    assert expected.relative is not None
    assert gain["relative"][0] == pytest.approx(ours.mean() / theirs.mean() - 1)
    assert gain["pairs"] == N
    assert gain["difference"][1] == pytest.approx(expected.difference.low, abs=0.003)
    assert gain["relative"][2] == pytest.approx(expected.relative.high, abs=0.02)


def test_a_user_met_in_two_windows_is_drawn_once() -> None:
    """The same lists twice say no more than once: of the same users the interval stays, of others it narrows."""
    once, twice, others = (
        Pooled(windows, 0) for windows in ((planted(),), (planted(), planted()), (planted(), planted(users="v")))
    )

    def width(pooled: Pooled) -> float:
        gain = pooled.gain(pooled.values("fused"), pooled.values("member/als"))
        assert gain is not None
        return float(gain["difference"][2] - gain["difference"][1])

    assert width(twice) == pytest.approx(width(once), rel=1e-9)
    assert width(others) < 0.85 * width(once)


def test_who_has_no_value_on_one_side_is_left_out() -> None:
    pooled = Pooled((planted(),), 0)
    ours = pooled.values("fused")
    ours[:100] = np.nan
    gain = pooled.gain(ours, pooled.values("member/als"))
    assert gain is not None
    assert gain["pairs"] == N - 100
    assert gain["ours"] == pytest.approx(np.nanmean(ours))
    assert pooled.gain(np.full(N, np.nan), ours) is None


def test_the_ladder_holds_every_list_and_the_best_member() -> None:
    pooled = Pooled((planted(), planted(1)), 0)
    rungs = ladder(pooled)
    assert best(pooled, "member") == "member/als"
    assert best(pooled, "peer") is None
    assert set(rungs) == {"member/als", "member/text", "member/popularity", "method/voting", "fused"}
    low, high = rungs["fused"]["interval"]
    assert low < rungs["fused"][NDCG] < high
    assert set(gains(pooled)) == set(rungs) - {"fused"}


def test_the_oracle_takes_each_users_best_member() -> None:
    pooled = Pooled((planted(),), 0)
    every = np.max([pooled.values(name) for name in pooled.names("member")], axis=0).mean()
    found = oracle(pooled, "member/als")
    alone, fused = pooled.values("member/als").mean(), pooled.values("fused").mean()
    assert found[NDCG] == pytest.approx(every)
    assert found["gap_closed"] == pytest.approx((fused - alone) / (every - alone))


def test_segments_are_flagged_only_where_large_and_worse_beyond_noise() -> None:
    lists = planted()
    found = segments(Pooled((lists,), 0), "member/als")
    assert found["cold"]["users"] == int((lists.sizes == 0).sum())
    assert found["light"]["users"] == int(((lists.sizes > 0) & (lists.sizes <= 5)).sum())
    assert sum(found[name]["users"] for name in ("cold", "light", "medium", "heavy")) == N
    assert not any(one["worse"] for one in found.values())
    wrong = lists.plus({"fused": lists_of(np.zeros(N, bool))})
    worse = segments(Pooled((wrong, wrong), 0), "member/als")
    assert worse["medium"]["worse"]
    assert not worse["cold"]["worse"]  # 46 users


def test_new_items_are_those_nobody_had_met() -> None:
    found = segments(Pooled((planted(),), 0), "member/als")["new_items"]
    assert found["users"] == N  # item 0 is met by nobody
    assert found["best_member"]["ours"] == pytest.approx(planted().values("fused").mean())


def test_the_matrix_compares_with_the_best_left_and_with_a_refit() -> None:
    pooled = Pooled((planted(),), 0)
    found = matrix(pooled)
    assert found["als"]["best_remaining"] == "text"
    assert found["als"]["over_best_remaining"]["relative"][0] == pytest.approx(0.0)
    assert found["als"]["over_refit"]["relative"][2] < 0  # the refit finds more
    assert found["text"]["best_remaining"] == "als"
    assert found["text"]["adds"]["relative"][1] > 0


def test_what_is_served_is_compared_in_all_windows_a_new_fit_where_there_is_one() -> None:
    newest, before = planted(), planted(1)
    served_alone = {name: items for name, items in before.named.items() if not name.startswith("refit/")}
    both = Pooled((newest, replace(before, named=served_alone)), 0)
    found, alone = matrix(both), matrix(Pooled((newest,), 0))
    assert found["als"]["over_refit"] == alone["als"]["over_refit"]
    assert found["als"]["adds"] == alone["als"]["adds"]
    served = (newest.values("served/als").mean() + before.values("served/als").mean()) / 2
    assert found["als"]["served"] == pytest.approx(served)
    assert found["als"]["over_best_remaining"]["pairs"] == 2 * alone["als"]["over_best_remaining"]["pairs"]
    assert (against_best(both)["users"], against_best(both)["refitted"]) == (2 * N, N)


def test_a_family_contributes_where_the_blend_loses_without_it() -> None:
    found = ablation(Pooled((planted(),), 0))
    assert found["cf"] is not None
    assert found["text"] is not None
    assert found["cf"]["relative"][2] < 0
    assert found["text"]["relative"] == [0.0, 0.0, 0.0]
    assert found["deep"] is None


def test_the_interval_does_not_depend_on_what_the_users_are_called() -> None:
    ours, theirs = np.random.default_rng(5).random((2, 2 * N))
    found = []
    for turned in (1, -1):  # the second time their names sort the other way round
        windows = (planted(), planted(1))
        names = [np.array([f"{turned * int(user[1:]) + 10_000:05d}" for user in one.users]) for one in windows]
        renamed = (replace(one, users=called) for one, called in zip(windows, names, strict=True))
        found.append(Pooled(tuple(renamed), 0).gain(ours, theirs))
    assert found[0] == found[1]
