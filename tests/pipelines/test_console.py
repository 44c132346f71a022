"""What a person sees of a run, from a real process that writes the facts of its stages."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.common.stage import PROGRESS_FILE
from pipelines.console import Watcher

GOOD = """
from components.common.stage import progress, stage, tell
with stage("first"):
    progress("first", 1, 2)
    tell(stage="first", kind="note", text="a note")
    tell(stage="first", kind="of the log only")
with stage("first"):
    pass
"""
BAD = """
from components.common.errors import DataError
from components.common.stage import stage
with stage("validate"):
    raise DataError("items", "title", 3, "row 7", "a title", "Give every item one.")
"""


def follow(program: str, folder: Path) -> tuple[Watcher, int]:
    facts = folder / "progress.jsonl"
    facts.touch()
    watcher = Watcher(facts)
    command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, env={PROGRESS_FILE: str(facts)}, start_new_session=True)
    return watcher, watcher.follow(process)


def test_stages_are_timed_and_a_repeated_one_adds_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watcher, code = follow(GOOD, tmp_path)
    assert code == 0
    assert list(watcher.timings) == ["first"]
    assert watcher.peak_rss_mb is not None
    assert watcher.failure is None
    shown = capsys.readouterr().out
    assert shown.count("✓ first") == 2
    assert "a note" in shown
    assert "of the log only" not in shown


def test_an_error_keeps_its_message_and_exit_code(tmp_path: Path) -> None:
    watcher, code = follow(BAD, tmp_path)
    assert code != 0
    assert watcher.failure is not None
    assert watcher.failure["exit_code"] == 2
    assert watcher.failure["message"] == (
        "table 'items', column 'title': 3 rows — first: 'row 7'. Expected a title. Give every item one."
    )
