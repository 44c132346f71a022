"""The benchmark of smaller releases measures what it says, on the planted shop."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_release import live_store, planted_prepared

from benchmarks.smaller import Made, kept, made_smaller, serve
from benchmarks.smaller_page import render
from serving.blend import Fusion
from serving.engine import Engine
from serving.release import verify


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_store(tmp_path_factory.mktemp("smaller"))


@pytest.fixture(scope="module")
def release(store: Path) -> Path:
    return store / "releases" / (store / "current").read_text().strip()


def test_lists_that_hold_the_same_are_kept() -> None:
    assert kept([["a", "b"], ["c", "d"], []], [["b", "x"], ["d", "c"], ["y"]]) == pytest.approx(0.75)
    assert kept([[]], [["a"]]) == 1.0


def test_a_smaller_copy_is_a_release_of_its_own_and_the_first_stays(store: Path, release: Path, tmp_path: Path) -> None:
    digest, shop = verify(release).release, planted_prepared(tmp_path / "prepared")
    made = Made(shop, (), Fusion.load(release / "fusion.json"), release, store)
    made_smaller(made, "int8", tmp_path / "small")
    assert Engine.load(tmp_path / "small").digest != digest
    made_smaller(made, "none", tmp_path / "same")
    assert verify(tmp_path / "same").release == verify(release).release == digest


def test_every_scenario_is_asked_of_a_release(release: Path, store: Path) -> None:
    found = serve(release, store)
    assert set(found["lists"]) == set(found["work_ms"]) == {"recommend", "similar", "bundle", "search"}
    assert all(ms > 0 for ms in found["work_ms"].values())
    assert all(any(lists) for lists in found["lists"].values())
    assert {"private_mb", "shared_mb"} <= set(found)  # in a process that has loaded others before they may be nothing


def test_memory_is_what_the_process_holds_of_its_own() -> None:
    asked = """
import numpy as np
from benchmarks.smaller import memory
before = memory()["private"]
held = np.ones(64 << 20, dtype=np.uint8)
print(memory()["private"] - before)
"""  # a process of its own: one that gave memory back before may hold the new array in what it kept
    told = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert 0.9 * (64 << 20) < int(told.stdout) < 1.2 * (64 << 20)


def test_the_page_tells_what_was_measured() -> None:
    loss = {"lists": 200, "before": 0.1, "after": 0.0998, "lost": 0.002, "error": 0.0004}
    one = {"release_mb": 10.0, "members_mb": 8.0, "private_mb": 5.0, "shared_mb": 4.0, "load_s": 0.5,
           "work_ms": {"recommend": 2.0}, "kept": {"recommend": 0.987}, "why_not": "discovery loses 0.20%",
           "fit": {"discovery": {"fused": loss, "als": loss}}, "test": {"discovery": {"fused": loss}}}  # fmt: skip
    text = render({"release": "a" * 64, "items": 10, "users": 20, "ways": {"none": one, "int8": one}}, 3)
    assert "| int8 | 10.0 | 8.0 | 5.0 | 4.0 | 0.50 | 2.00 |" in text
    assert "| int8 | +0.20% ± 0.04% | +0.20% ± 0.04% | discovery loses 0.20% |" in text
    assert "| als | +0.20% ± 0.04% |" in text
    assert "| int8 | 98.7% |" in text
