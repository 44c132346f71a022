"""What a stage tells, line by line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.common.errors import ConfigError
from components.common.stage import PROGRESS_FILE, progress, stage


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress.jsonl"))
    return tmp_path / "progress.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_start_progress_and_end_are_told_in_order(told: Path) -> None:
    with stage("prepare"):
        progress("prepare", 1, 2)
        sum(range(1_000_000))
    start, middle, end = lines(told)
    assert start == {"stage": "prepare", "kind": "start"}
    assert middle == {"stage": "prepare", "kind": "progress", "done": 1, "total": 2}
    assert (end["kind"], end["stage"]) == ("end", "prepare")
    cores = os.cpu_count() or 1  # the other threads of the process work, too
    assert 0 < end["cpu_s"] <= end["seconds"] * cores + 0.05
    assert end["rss_mb"] > 1


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("a typo"), 2), (ValueError("a fault"), 1), (KeyboardInterrupt(), 1)]
)
def test_an_error_is_told_with_its_exit_code_and_goes_on(error: BaseException, code: int, told: Path) -> None:
    with pytest.raises(type(error)), stage("ingest"):
        raise error
    last = lines(told)[-1]
    assert (last["kind"], last["error"], last["message"], last["exit_code"]) == (
        "error", type(error).__name__, str(error), code,
    )  # fmt: skip


def test_without_a_file_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    with stage("ingest"):
        progress("ingest", 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_linear_algebra_has_one_thread_unless_told_otherwise() -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    code = f"import os, components.common.stage; print([os.environ[name] for name in {names}])"
    clean = {name: value for name, value in os.environ.items() if name not in names}
    for given, expected in (({}, "['1', '1']"), ({"OMP_NUM_THREADS": "4"}, "['4', '1']")):
        answer = subprocess.run(
            [sys.executable, "-c", code], env=clean | given, capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == expected


def test_memory_that_arrays_give_back_is_kept_for_the_next() -> None:
    code = """
import resource, sys
import numpy as np
if sys.argv[1] == "keep":
    import components.common.stage
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
array = np.ones(6_000_000, dtype=np.float32)
array + array
before = faults()
for _ in range(10):
    array + array
print(faults() - before)
"""
    faults = [
        int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "leave")
    ]
    pages = 10 * 24_000_000 // 4096  # of ten sums, each of which would be given new ones; fewer where they are larger
    assert faults[0] < pages // 1000 < faults[1]
