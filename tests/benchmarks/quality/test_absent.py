from pathlib import Path

import numpy as np
import pytest
from finished_run import finished_run

from benchmarks.quality.absent import Absences, refit, without
from benchmarks.quality.costs import parameters, training_seconds
from benchmarks.quality.lists import Lists
from benchmarks.quality.measure import Finished, measure
from components.common.prepared import Prepared
from components.fuse.coverage import spread
from components.fuse.lists import FitSet
from serving.blend import Fusion, TaskFusion
from serving.engine import Engine
from serving.queries import DISCOVERY


def lists_of(scores: np.ndarray) -> FitSet:
    n, c, k = scores.shape
    names = tuple("abcdef"[:k])
    valid = np.ones((n, c), bool)
    labels = np.zeros((n, c), np.float32)
    return FitSet(names, scores.astype(np.float32), valid, labels, np.ones(n, np.int64), np.arange(n))


def test_what_only_the_missing_member_recalled_is_no_candidate() -> None:
    """Member a has recalled the first 100 of 150 candidates, b the last 100."""
    scores = np.full((1, 150, 2), np.nan)
    scores[0, :, 0] = np.arange(150, 0, -1)
    scores[0, :, 1] = np.arange(150)
    both = lists_of(scores)
    left = without(both, {"a"})
    assert left.members == ("b",)
    assert left.scores.shape == (1, 150, 1)
    assert left.valid[0].tolist() == [False] * 50 + [True] * 100
    assert without(both, {"z"}) is both
    assert both.valid.all()


def test_a_member_recalls_only_what_it_scores() -> None:
    scores = np.array([[[1.0, np.nan], [np.nan, 2.0], [3.0, 4.0]]])
    assert without(lists_of(scores), {"a"}).valid[0].tolist() == [False, True, True]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_run(tmp_path_factory.mktemp("finished"))


def test_a_finished_run_is_judged_with_and_without_each_member(finished: Finished, tmp_path: Path) -> None:
    window = measure(finished, tmp_path, "fast", taken="all", workers=1)
    lists = Lists.load(tmp_path / "discovery.npz")
    assert lists.names("member") == ("item_knn", "popularity")
    assert lists.names("method") == ("least_squares",)
    assert (lists.named["fused"] == lists.named["method/least_squares"]).all()
    assert lists.values("fused").mean() > 0.9  # the one new item of each user's group
    absent = Lists.load(tmp_path / "discovery.absent.npz")
    assert (absent.named["fused"] == lists.named["fused"]).all()
    alone = lists.named["member/popularity"]
    assert (absent.named["served/item_knn"] == alone).all()  # all that is left
    families = Lists.load(tmp_path / "discovery.families.npz")
    assert (families.named["without/cf"] == absent.named["refit/item_knn"]).all()
    assert (families.named["fused"] == lists.named["fused"]).all()
    assert absent.values("served/popularity").mean() == pytest.approx(lists.values("member/item_knn").mean(), abs=0.02)
    assert window["costs"]["item_knn"]["parameters"] > 0
    assert window["costs"]["item_knn"]["ms_256"] > 0
    assert window["fit_windows"] == 1
    assert (tmp_path / "next_basket.absent.npz").exists()


def test_families_alone_are_taken_away(finished: Finished, tmp_path: Path) -> None:
    assert measure(finished, tmp_path, "fast", taken="families", workers=1)["taken"] == "families"
    assert Lists.load(tmp_path / "discovery.families.npz").named["without/cf"].size
    assert not (tmp_path / "discovery.absent.npz").exists()


def test_judging_twice_gives_the_same_bytes(finished: Finished, tmp_path: Path) -> None:
    for name in ("one", "two"):
        measure(finished, tmp_path / name, "fast", taken="all", workers=1)
    for path in sorted((tmp_path / "one").glob("*.npz")):
        one, two = Lists.load(path), Lists.load(tmp_path / "two" / path.name)
        assert one.named.keys() == two.named.keys()
        assert all((one.named[name] == two.named[name]).all() for name in one.named)


def test_parameters_are_the_numbers_a_members_files_hold(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    np.savez(tmp_path / "b.npz", x=np.zeros(5), y=np.zeros((2, 2)))
    (tmp_path / "member.json").write_text("{}")
    assert parameters(tmp_path) == 12 + 5 + 4


def test_seconds_are_those_of_the_last_time_a_stage_ran(tmp_path: Path) -> None:
    log = tmp_path / "progress.jsonl"
    log.write_text(
        '{"stage": "s", "kind": "start"}\n{"stage": "s", "kind": "member", "member": "m", "seconds": 9}\n'
        '{"stage": "s", "kind": "start"}\n{"stage": "s", "kind": "member", "member": "m", "seconds": 1.5}\n'
        '{"stage": "s", "kind": "member", "member": "m", "seconds": 2}\n{"stage": "s", "kind": "end", "seconds": 4}\n'
    )
    assert training_seconds(tmp_path / "none.jsonl", log) == ({("s", "m"): 3.5}, {"s": 4})


def test_a_refit_keeps_the_method_and_the_breadth_that_serve(finished: Finished) -> None:
    shop, engine = Prepared.load(finished.prepared), Engine.load(finished.release)
    assert engine.fusion is not None
    served = engine.fusion.blend(DISCOVERY)
    reached = TaskFusion(chosen=served.kind, methods={served.kind: spread(served, 0.5, 0, "")})
    engine.fusion = Fusion(tasks={DISCOVERY: reached})
    folders = finished.prepared, finished.features, finished.families
    fit = lists_of(np.array([[[1.0, 0.0], [0.5, 2.0], [0.0, 1.0]]]))
    fit.labels[0, 0] = 1
    found = refit(Absences(shop, engine, *folders, DISCOVERY, "fast", 1), [fit])
    assert (found.kind, found.reach) == ("least_squares", 0.5)
