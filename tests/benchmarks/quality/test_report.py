import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_lists import N, planted

from benchmarks.quality.__main__ import publish
from benchmarks.quality.bench import QUALITY_FILE
from benchmarks.quality.check import differences
from benchmarks.quality.goals import goals
from benchmarks.quality.lists import Lists
from benchmarks.quality.page import END, START, put, render
from benchmarks.quality.plots import draw
from benchmarks.quality.report import case_report, conditions, curve_report
from components.common.files import read_json, write_json

COSTS = {
    "als": {
        "family": "cf", "parameters": 1200, "bytes": 4800, "stage": "train_cf", "training_s": 1.25, "stage_s": 2.0,
        "ms_256": 0.01, "ms_1": 0.1,
    },
    "text": {
        "family": "text", "parameters": 10, "bytes": 40, "stage": "train_text", "training_s": None, "stage_s": 7.0,
        "ms_256": None, "ms_1": None,
    },
}  # fmt: skip


def window(folder: Path, lists: Lists, peer: np.ndarray | None = None) -> Path:
    """A judged window of planted lists, as `measure` would have left it."""
    plain = {name: items for name, items in lists.named.items() if name.split("/")[0] in ("member", "method", "fused")}
    Lists(lists.users, lists.relevance, lists.sizes, lists.met, plain).save(folder / "discovery.npz")
    lists.save(folder / "discovery.families.npz")
    lists.save(folder / "discovery.absent.npz")
    facts = {
        "release": "0" * 64, "protocol": "temporal", "effort": "full", "fit_windows": 2,
        "dataset": {"users": N, "items": 30, "events": 5000}, "families": {"als": "cf", "text": "text"},
        "tasks": {"discovery": {"chosen": "softmax"}}, "costs": COSTS,
    }  # fmt: skip
    write_json(folder / "window.json", facts)
    if peer is not None:
        out = folder / "peers" / "discovery"
        (out / "case").mkdir(parents=True)
        order = np.arange(N)[::-1].copy()  # asked in another order
        np.savez(out / "case" / "asked.npz", users=order)
        np.savez(out / "implicit_als.npz", items=peer[order])
        told = {
            "version": "1", "parameters": 5, "fit_seconds": 1.0, "peak_mb": 9.0, "score_seconds": 2.0,
            "params": {"factors": 64}, "asked": {"out": "/home"}, "trials": [{}] * 7, "tune_seconds": 3.0,
        }  # fmt: skip
        write_json(out / "implicit_als.json", told)
        write_json(out / "recbole_bpr.json", {"failed": "is not\ninstalled"})
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("windows")
    lists = [planted(seed) for seed in range(3)]
    folders = [window(root / f"w{seed}", one, one.named["member/text"]) for seed, one in enumerate(lists)]
    case = case_report(folders, seed=0)
    case["curve"] = curve_report({"0.3": folders[0], "1": folders[1]}, seed=0)
    return {"conditions": conditions(0, "full", {"abc"}), "cases": {"journey": case}, "check": None}


@pytest.fixture
def quality(made: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(made)


def test_a_peer_is_judged_by_the_same_users_whatever_order_it_was_asked_in(quality: dict[str, Any]) -> None:
    found = quality["cases"]["journey"]["tasks"]["discovery"]
    assert found["users"] == 3 * N
    assert found["best_peer"] == "peer/implicit_als"
    assert found["ladder"]["peer/implicit_als"] == found["ladder"]["member/text"]
    assert quality["cases"]["journey"]["peers"]["discovery"]["recbole_bpr"]["failed"] == "is not\ninstalled"
    told = quality["cases"]["journey"]["peers"]["discovery"]["implicit_als"]
    assert told["tuned"] == {"trials": 7, "seconds": 3.0}
    assert "asked" not in told


def test_goals_are_computed(quality: dict[str, Any]) -> None:
    lines = {(line["task"], line["goal"].split(",")[0]): line for line in goals(quality)}
    found = quality["cases"]["journey"]["tasks"]["discovery"]
    relative = found["gains"]["member/als"]["relative"]
    line = lines["discovery", "fused at least +10% NDCG@10 over the best member"]
    assert line["holds"] is (relative[0] >= 0.10 and relative[1] > 0.05)
    assert f"{relative[0]:+.1%}" in line["found"]
    assert lines["discovery", "at least 3 test windows pooled"]["holds"]
    assert lines["", "the blend loses without the family cf"]["holds"]
    assert not lines["", "the blend loses without the family text"]["holds"]
    assert lines["", "the blend loses without the family deep"]["holds"] is None
    assert not lines["discovery", "any one member missing: at most 2% below a blend refitted without it"]["holds"]
    assert lines["", "the same command gives the same figures twice"]["holds"] is None
    assert lines["discovery", "users without history: fused beats popularity"]["holds"]


def test_newcomers_are_judged_by_what_newcomers_get_alone(quality: dict[str, Any]) -> None:
    quality["cases"] = {"journey_newcomers": quality["cases"]["journey"]}
    told = {line["goal"].partition(":")[0] for line in goals(quality) if line["case"] == "journey_newcomers"}
    assert told == {"users without history", "items nobody had met", "users without history who viewed one product"}


def test_one_view_has_figures_a_table_and_a_line_of_its_own(tmp_path: Path) -> None:
    """Of 900 users fused finds what als finds and a tenth more, popularity little."""
    folder = window(tmp_path / "w", planted())
    planted(7).save(folder / "discovery.viewed.npz")
    case = case_report([folder], seed=0)
    seen = case["tasks"]["discovery"]["viewed"]
    assert seen["users"] == N
    fused, popular = planted(7).values("fused").mean(), planted(7).values("member/popularity").mean()
    assert seen["ladder"]["fused"]["ndcg@10"] == pytest.approx(fused)
    quality = {"conditions": conditions(0, "full", {"abc"}), "cases": {"journey_newcomers": case}, "check": None}
    line = next(line for line in goals(quality) if line["goal"].startswith("users without history who viewed one"))
    assert line["found"] == f"{fused:.4f} against {popular:.4f}, {N} users"
    assert line["holds"]
    text = render(quality, goals(quality), [])
    assert "after one product viewed (900 users" in text
    assert f"| popularity | {popular:.4f} [" in text.split("after one product viewed")[1]
    ours = seen["gains"]["member/popularity"]
    ours["difference"] = [-0.1, -0.2, -0.05]
    missed = [line["goal"] for line in goals(quality) if line["holds"] is False]
    assert "users without history who viewed one product: fused beats popularity" in missed


def test_hidden_histories_have_tables_and_lines_in_any_case(tmp_path: Path) -> None:
    folder = window(tmp_path / "w", planted())
    for kind in ("unknown", "viewed"):
        planted(7).save(folder / f"discovery.{kind}.npz")
    quality = {"conditions": conditions(0, "full", {"abc"}), "cases": {"shop": case_report([folder], 0)}, "check": None}
    lines = goals(quality)
    told = [line["goal"].partition(":")[0] for line in lines if line["goal"].startswith("users whose")]
    assert told == ["users whose history is hidden", "users whose history is hidden who viewed one product"]
    text = render(quality, lines, [])
    assert "Users whose history is hidden (900 users):" in text
    assert "Users whose history is hidden, after one product viewed (900 users" in text


def test_families_are_told_where_no_single_member_was_taken_away(tmp_path: Path) -> None:
    folder = window(tmp_path / "w", planted())
    (folder / "discovery.absent.npz").unlink()
    case = case_report([folder], 0)
    assert case["tasks"]["discovery"]["missing"]["members"] == {}
    quality = {"conditions": conditions(0, "full", {"abc"}), "cases": {"shop": case}, "check": None}
    lines = goals(quality)
    assert [line["found"] for line in lines if "without the family text" in line["goal"]] != ["no such member"]
    assert not [line for line in lines if line["goal"].startswith("any one member missing")]
    text = render(quality, lines, draw(quality, tmp_path))
    assert "family left out and refitted" in text
    assert "Members taken away" not in text


def test_a_goal_that_is_missed_says_so(quality: dict[str, Any]) -> None:
    found = quality["cases"]["journey"]["tasks"]["discovery"]
    found["gains"]["member/als"]["relative"] = [0.12, 0.04, 0.2]
    found["segments"]["light"]["worse"] = True
    missed = {line["goal"].split(",")[0]: line for line in goals(quality) if line["holds"] is False}
    assert "fused at least +10% NDCG@10 over the best member" in missed
    worse = missed["on no segment of more than 500 users worse than the best member beyond noise"]
    assert worse["found"] == "worse on light"


def test_the_page_holds_every_figure_between_its_markers(quality: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Mine\n\n{START}\nof before\n{END}\n\nkept\n")
    plots = draw(quality, tmp_path / "images")
    assert plots == ["quality_ladder.svg", "quality_missing.svg", "quality_curve.svg"]
    put(page, render(quality, goals(quality), plots))
    text = page.read_text()
    fused = quality["cases"]["journey"]["tasks"]["discovery"]["ladder"]["fused"]["ndcg@10"]
    assert f"{fused:.4f}" in text
    assert "left out: is not installed" in text
    assert "**does not hold**" in text
    assert "7.0 †" in text
    assert "of before" not in text
    assert text.startswith("# Mine")
    assert text.endswith("kept\n")
    put(page, render(quality, goals(quality), plots))
    assert page.read_text() == text


def test_what_is_rendered_from_the_file_is_what_the_run_itself_wrote(quality: dict[str, Any], tmp_path: Path) -> None:
    publish(quality, tmp_path, None)
    first = (tmp_path / "quality.md").read_text()
    publish(read_json(tmp_path / QUALITY_FILE), tmp_path, None)
    assert (tmp_path / "quality.md").read_text() == first


def test_a_page_is_begun_where_there_is_none(tmp_path: Path) -> None:
    put(tmp_path / "new.md", "figures")
    text = (tmp_path / "new.md").read_text()
    assert text.startswith("# Benchmarks")
    assert text.endswith(f"{START}\nfigures\n{END}\n")


def test_plots_are_the_same_bytes_twice(quality: dict[str, Any], tmp_path: Path) -> None:
    for name in draw(quality, tmp_path / "one"):
        draw(quality, tmp_path / "two")
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_two_runs_are_compared_but_for_times_and_peers(quality: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "one.json", quality["cases"])
    other = read_json(tmp_path / "one.json")
    other["journey"]["costs"]["als"]["ms_256"] = 7.0
    other["journey"]["tasks"]["discovery"]["ladder"]["peer/implicit_als"]["ndcg@10"] = 0.9
    differ, figures = differences(quality["cases"], other)
    assert differ == []
    assert figures > 300
    als = other["journey"]["tasks"]["discovery"]["ladder"]["member/als"]
    als["ndcg@10"] = float(np.nextafter(als["ndcg@10"], 1))
    assert differences(quality["cases"], other)[0] == ["journey.tasks.discovery.ladder.member/als.ndcg@10"]


def test_the_curve_compares_the_same_users(quality: dict[str, Any]) -> None:
    curve = quality["cases"]["journey"]["curve"]
    assert curve["0.3"]["same_users"]["users"] == N
    assert curve["0.3"]["own"] == curve["0.3"]["same_users"]
