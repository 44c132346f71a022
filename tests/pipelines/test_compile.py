"""The compiled pipeline in the repository is the one the code describes, and its diagram is made from it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.compile import compile_all, diagram

ROOT = Path(__file__).parents[2]
STAGES = {
    "ingest", "validate", "prepare", "encode", "materialize", "train-deep", "train-cf", "train-text", "train-rules",
    "fuse", "package", "evaluate", "materialize-online", "deploy", "report-ending",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.stem: path for path in compile_all(tmp_path_factory.mktemp("compiled"))}


@pytest.fixture(scope="module")
def compiled(written: dict[str, Path]) -> Path:
    return written["train_and_deploy"]


def spec(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = next(iter(yaml.safe_load_all(path.read_text())))
    return loaded


def guarded(loaded: dict[str, Any]) -> dict[str, Any]:
    """The tasks whose end is told, whatever it is."""
    task = loaded["root"]["dag"]["tasks"]["exit-handler-1"]
    tasks: dict[str, Any] = loaded["components"][task["componentRef"]["name"]]["dag"]["tasks"]
    return tasks


def test_committed_yaml_is_fresh(written: dict[str, Path]) -> None:
    for path in written.values():
        committed = ROOT / "pipelines" / "compiled" / path.name
        assert committed.read_text() == path.read_text(), "run `make compile` and commit the result"


def test_committed_diagram_is_fresh(compiled: Path) -> None:
    assert diagram(compiled) in (ROOT / "docs" / "pipeline.md").read_text(), "run `make compile`"


def test_every_stage_is_in_it_and_installs_nothing(compiled: Path) -> None:
    executors = spec(compiled)["deploymentSpec"]["executors"]
    assert {name.removeprefix("exec-") for name in executors} == STAGES
    for executor in executors.values():
        assert "pip install" not in str(executor["container"])


PAGE, CLASSES = {"page": "system.Markdown"}, "system.ClassificationMetrics"
SHOWN = {
    "ingest": PAGE, "prepare": PAGE, "encode": PAGE, "materialize": PAGE, "materialize-online": PAGE,
    "validate": {"data_docs": "system.HTML"},
    "train-cf": PAGE, "train-deep": PAGE, "train-rules": PAGE, "train-text": PAGE | {"reviews": CLASSES},
    "fuse": PAGE, "package": PAGE, "deploy": PAGE, "report-ending": {"ending": "system.Markdown"},
    "evaluate": {
        "metrics": "system.Metrics", "report": "system.HTML", "card": "system.Markdown", "curve": CLASSES,
        "clicks": CLASSES,
    },
    "tune-members": {"report": "system.HTML"}, "tune-fusion": {"report": "system.HTML"},
    "states-of-everyone": PAGE, "recommend": PAGE, "fine-tune": PAGE,
}  # fmt: skip


def test_every_step_shows_something_in_the_interface(written: dict[str, Path]) -> None:
    """All that Kubeflow's UI draws of a step: pages, reports, numbers, curves and confusion matrices."""
    drawn = {"system.HTML", "system.Markdown", "system.Metrics", CLASSES}
    found: dict[str, dict[str, str]] = {}
    for path in written.values():
        for name, component in spec(path)["components"].items():
            if "executorLabel" in component:
                given = component.get("outputDefinitions", {}).get("artifacts", {})
                titles = {one: about["artifactType"]["schemaTitle"] for one, about in given.items()}
                step = re.sub(r"-\d+$", "", name.removeprefix("comp-"))
                found[step] = {one: title for one, title in titles.items() if title in drawn}
    assert found == SHOWN


def test_nothing_online_changes_before_the_gate(compiled: Path) -> None:
    loaded = spec(compiled)
    run = guarded(loaded)
    task = next(task for name, task in run.items() if name.startswith("condition"))
    assert "evaluate" in task["dependentTasks"]
    behind = loaded["components"][task["componentRef"]["name"]]["dag"]["tasks"]
    assert set(behind) == {"materialize-online", "deploy"}
    assert behind["deploy"]["dependentTasks"] == ["materialize-online"]


def test_the_end_of_every_run_is_told_whatever_it_was(compiled: Path) -> None:
    loaded = spec(compiled)
    tasks = loaded["root"]["dag"]["tasks"]
    assert set(tasks) == {"exit-handler-1", "report-ending"}
    assert tasks["report-ending"]["dependentTasks"] == ["exit-handler-1"]
    assert tasks["report-ending"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert {"ingest", "evaluate"} <= set(guarded(loaded))


def test_tuning_publishes_nothing_and_trains_with_what_was_found(written: dict[str, Path]) -> None:
    tasks = spec(written["tune"])["root"]["dag"]["tasks"]
    assert not set(tasks) & {"package", "evaluate", "deploy", "materialize-online"}
    members = {name: task for name, task in tasks.items() if name.startswith("tune-members")}
    families = {task["inputs"]["parameters"]["family"]["runtimeValue"]["constant"] for task in members.values()}
    assert families == {"cf", "text", "deep"}
    for task in members.values():
        assert set(task["dependentTasks"]) == {"encode", "prepare"}
    for stage in ("train-cf", "train-text", "train-deep"):
        assert "tune-members" in tasks[stage]["inputs"]["parameters"]["settings"]["taskOutputParameter"]["producerTask"]


def test_parameters_are_typed_with_defaults_and_described(written: dict[str, Path]) -> None:
    for path in written.values():
        for name, parameter in spec(path)["root"]["inputDefinitions"]["parameters"].items():
            assert parameter["description"], name
            assert "defaultValue" in parameter, name


def test_diagram_draws_the_gate(compiled: Path) -> None:
    drawn = diagram(compiled)
    assert "evaluate -- passed the gate --> materialize-online" in drawn
    assert "fuse --> package" in drawn
    assert "ended([the run ends, well or not]) --> report-ending" in drawn
