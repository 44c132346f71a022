import logging
import sys
from pathlib import Path

import pandas as pd
import pytest
from finished_run import finished_run
from shops import write_small_shop

from benchmarks.quality.__main__ import main
from benchmarks.quality.bench import Options, Plan, Window, _is_judged, _taken, run
from benchmarks.quality.check import differences
from benchmarks.quality.shops import Case
from benchmarks.quality.steps import Step, composition, source_digest
from components.common.files import read_json, write_json

RUN = ["--effort", "fast", "--windows", "2", "--trials", "1", "--only", "popularity"]


def test_what_is_finished_is_only_judged_and_peers_asked(tmp_path: Path) -> None:
    """Steps that look finished are not run (they would fail here), judging and the peer are, and only once."""
    case = Case(name="planted", source=str(tmp_path), protocol="temporal")
    out = tmp_path / "out" / "planted"
    checked = out / "door" / "validate" / "checked"
    checked.mkdir(parents=True)
    times = pd.to_datetime(["2020-01-01", "2020-12-01"], utc=True)
    pd.DataFrame({"user_id": ["a", "b"], "timestamp": times}).to_parquet(checked / "events.parquet")
    write_json(checked / "shop.json", {})
    finished_run(out / "window_0")
    arguments = {"data": str(tmp_path), "store": str(out / "store")}
    _finish(out / "door", composition(arguments, last=("validate",)))
    _finish(out / "window_0", composition({"effort": "fast"}, given=[("validate", "checked")]))

    options = Options(tmp_path / "out", effort="fast", jobs=1, trials=1, only="popularity", any_code=True)
    quality = run([case], options)
    found = quality["cases"]["planted"]["tasks"]["discovery"]
    assert found["ladder"]["fused"]["ndcg@10"] > 0.9
    assert set(found["missing"]["members"]) == {"item_knn", "popularity"}
    assert found["best_peer"] == "peer/popularity"
    assert quality["cases"]["planted"]["curve"] is None
    judged = out / "window_0" / "judged" / "window.json"
    written = judged.stat().st_mtime_ns
    assert differences(quality["cases"], run([case], options)["cases"])[0] == []
    assert judged.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, ["all", "served", "served"]),
        ({"brief": True}, ["families"] * 3),
        ({"brief": True, "families": False}, ["nothing"] * 3),
    ],
)
def test_new_fits_without_single_members_are_of_the_newest_window(changes: dict[str, bool], taken: list[str]) -> None:
    case = Case(name="planted", source="shop", protocol="temporal", windows=3, **changes)
    assert [_taken(case, back, Options(Path())) for back in range(3)] == taken
    assert _taken(case, 0, Options(Path(), absences=False)) == "nothing"


def test_a_window_that_was_judged_without_views_is_judged_again_where_newcomers_are_asked(tmp_path: Path) -> None:
    """The steps stay: only what was judged lacks something, and only in the case that asks for it."""
    judged = tmp_path / "judged"
    write_json(tmp_path / "package" / "release" / "manifest.json", {"release": "a"})
    for viewed, wanted in (({}, False), ({"viewed": False}, False), ({"viewed": True}, True)):
        write_json(judged / "window.json", {"source": "old", "release": "a", "taken": "nothing", **viewed})
        for newcomers, expected in ((0.3, wanted), (0.0, True)):
            case = Case(name="planted", source="shop", protocol="temporal", brief=True, newcomers=newcomers)
            window = Window(case, "window_0", tmp_path, "fast", "nothing")
            assert _is_judged(window, tmp_path, judged, any_code=True) is expected


@pytest.mark.parametrize(
    ("changes", "viewed"),
    [({}, False), ({"newcomers": 0.3, "brief": True}, True), ({"protocol": "leave-one-out"}, True),
     ({"protocol": "leave-one-out", "brief": True}, False)],
)  # fmt: skip
def test_newcomers_are_asked_where_there_are_some_or_a_past_can_be_hidden(
    changes: dict[str, object], viewed: bool
) -> None:
    assert (
        Case.model_validate({"name": "planted", "source": "shop", "protocol": "temporal", **changes}).viewed is viewed
    )


def test_the_share_of_all_users_is_the_newest_window_where_both_take_the_same_effort() -> None:
    case = Case(name="planted", source="shop", protocol="temporal", curve=(0.1, 1.0))
    window = Window(case, "window_0", Path(), "fast", "all")
    part = Window(case, "share_0.1", Path(), "fast", "nothing")
    assert Plan(case, Path(), [window], {"0.1": part, "1": window}).jobs == [window, part]


def _finish(folder: Path, steps: list[Step]) -> None:
    for step in steps:
        done = {"parameters": step.parameters, "source": source_digest(), "seconds": 1.0}
        write_json(folder / step.name / "done.json", done)


@pytest.mark.long
def test_the_same_command_gives_the_same_figures_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole bench on a small shop: every stage of every window, judged, with a peer, then all of it again."""
    shop = write_small_shop(tmp_path / "shop", households=60, products=150)
    command = ["quality", "--data", str(shop), "--out", str(tmp_path / "out"), *RUN]
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "argv", command)
    main()
    quality = read_json(tmp_path / "out" / "quality.json")
    case = quality["cases"]["shop"]
    assert len(case["windows"]) == 2
    assert set(case["tasks"]) == {"discovery", "next_basket"}
    for found in case["tasks"].values():
        assert found["windows"] == 2
        assert found["best_peer"] == "peer/popularity"
        assert found["missing"]["members"]
        assert found["ladder"]["fused"]["ndcg@10"] > 0
    assert case["curve"] is None
    assert len(quality["conditions"]["sources"]) == 1
    text = (tmp_path / "out" / "quality.md").read_text()
    assert "fused over it" in text

    monkeypatch.setattr(sys, "argv", [*command, "--check"])
    main()
    check = read_json(tmp_path / "out" / "quality.json")["check"]
    assert check["differ"] == []
    assert check["figures"] > 500
    assert "holds          all : the same command gives the same figures twice" in caplog.text
