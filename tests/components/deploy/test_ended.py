"""A run's end is told, well or not, by the very component in kfp's local runner."""

from pathlib import Path

import pytest
from kfp import dsl, local

from components.deploy.component import report_ending
from components.deploy.ended import Ended, folder_of_run
from components.deploy.ended import report_ending as told

DIGEST = "ab" * 32


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def promise(kept: bool) -> bool:
    if not kept:
        raise ValueError("broken")
    return kept


@dsl.pipeline(name="promising")
def promising(store: str, kept: bool) -> None:
    with dsl.ExitHandler(report_ending(store=store), name="run"):
        first = promise(kept=kept)
        with dsl.If(first.output == True, name="gate"):  # noqa: E712  (a pipeline condition, not Python's)
            promise(kept=first.output)


def run(root: Path, store: Path, kept: bool) -> None:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    promising(store=str(store), kept=kept)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "current").write_text(DIGEST + "\n")
    return tmp_path / "store"


@pytest.mark.parametrize(("kept", "state"), [(True, "SUCCEEDED"), (False, "FAILED")])
def test_the_page_says_how_it_ended_what_serves_and_where_the_artifacts_are(
    tmp_path: Path, store: Path, kept: bool, state: str
) -> None:
    root = tmp_path / "runs"
    try:
        run(root, store, kept)
    except RuntimeError:
        assert not kept
    (page,) = root.glob("*/report-ending/ending")
    text = page.read_text()
    assert text.startswith("# Run ")
    assert f": {state}\n" in text
    assert f"serving now: `{DIGEST}`" in text
    assert f"artifacts: `{page.parents[1]}`" in text
    assert (page.parents[1] / "promise").is_dir() is kept


def test_a_store_without_a_release_or_with_a_damaged_one_is_told_and_no_error(tmp_path: Path) -> None:
    ended = Ended("FAILED", "run-1", "s3://b/run-1", "ValueError: ```broken```")
    text = told(ended, tmp_path)
    assert "serving now: `nothing yet`" in text
    assert "```\nValueError: '''broken'''\n```" in text
    (tmp_path / "current").write_text("gone")
    assert "serving now: `unknown: " in told(ended, tmp_path)


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("s3://b/v2/train-and-deploy/7f/report-ending/0a1b/ending", "s3://b/v2/train-and-deploy/7f"),
        ("/runs/x/report-ending/ending", "/runs/x"),
        ("s3://b/elsewhere", "s3://b/elsewhere"),
    ],
)
def test_a_run_s_folder_is_what_its_steps_share(uri: str, folder: str) -> None:
    assert folder_of_run(uri, "report-ending") == folder
