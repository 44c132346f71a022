"""`cuvee run`: start the local pipeline, show its stages, collect what it leaves, say how it ended."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from components.common.config import Config, Effort, Protocol, Smaller
from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.common.settings import Settings
from components.common.stage import PROGRESS_FILE
from components.evaluate.known_relations import read_relations
from components.ingest.run import SOURCES
from pipelines.console import Watcher
from serving.members import kinds

REFUSED = 3


class RunSettings(Config):
    """What one run of the pipeline is asked to do."""

    data: str
    out: Path
    config: str = ""
    relations: str = ""
    protocol: Protocol = "temporal"
    effort: Effort = "fast"
    seed: int = Field(0, ge=0, lt=2**31)
    store: Path
    encoder: str = "minilm-int8"
    settings: str = ""
    image_encoder: str = "auto"
    smaller: Smaller = "none"
    compiled: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """The pipeline's parameters; paths absolute, since steps run elsewhere."""
        values = self.model_dump(exclude={"out", "compiled"}, mode="json")
        return values | absolute(values, ("config", "relations", "store", "settings"))


def absolute(values: dict[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    """Those of *values* that name files or folders, absolute: *paths* where they are given, the data, the encoder."""
    found = {name: str(Path(values[name]).resolve()) for name in paths if values[name]}
    for encoder in ("encoder", "image_encoder"):
        if Path(values.get(encoder, "auto")).is_dir():
            found[encoder] = str(Path(values[encoder]).resolve())
    if values["data"] not in SOURCES:
        found["data"] = str(Path(values["data"]).resolve())
    return found


def run(settings: RunSettings) -> int:
    """Run the pipeline and return the exit code: 0 deployed, 2 bad input, 3 refused by the gate, 1 a failure."""
    if settings.relations:
        read_relations(Path(settings.relations))  # they are asked for last: better told now than then
    Settings.of_members(settings.settings, kinds())
    out = settings.out.resolve()
    for name in ("report", "release", "deployment"):
        shutil.rmtree(out / name, ignore_errors=True)
    watcher, code = follow("train_and_deploy", out, settings.arguments(), settings.compiled)
    return code if watcher.failure else _finish(out, watcher, settings)


def follow(pipeline: str, out: Path, arguments: dict[str, Any], compiled: Path | None = None) -> tuple[Watcher, int]:
    """Run a pipeline in a process of its own, its artifacts below out/pipeline, and show its stages.

    Returns:
        The watcher, whose `failure` is told already if there is one, and the exit code.

    Raises:
        CuveeError: it stopped without saying why.
    """
    shutil.rmtree(out / "pipeline", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    progress, log = out / "progress.jsonl", out / "run.log"
    progress.write_text("")
    watcher = Watcher(progress)
    command = [sys.executable, "-m", "pipelines.local", pipeline, str(out / "pipeline"), json.dumps(arguments)]
    if compiled:
        command.append(str(compiled.resolve()))
    with log.open("w", encoding="utf-8") as handle:
        process = subprocess.Popen(
            command,
            stdout=handle,
            stderr=subprocess.STDOUT,
            env=os.environ | {PROGRESS_FILE: str(progress)},
            start_new_session=True,
        )
        code = watcher.follow(process)
    if code != 0 and watcher.failure is None:
        raise CuveeError(f"The pipeline stopped without saying why (exit code {code}). The full log is {log}.")
    if watcher.failure:
        watcher.say(f"[red]✗ {watcher.failure['stage']}[/red]: {watcher.failure['message']}")
        watcher.say(f"Nothing was published. The full log is {log}.")
        code = int(watcher.failure["exit_code"])
    return watcher, code


def _finish(out: Path, watcher: Watcher, settings: RunSettings) -> int:
    steps = next((out / "pipeline").glob("train-and-deploy-*"))
    report = out / "report"
    shutil.copytree(steps / "evaluate" / "evaluation", report)
    shutil.copytree(steps / "validate" / "docs_site", report / "data_docs")
    shutil.copytree(steps / "package" / "release", out / "release")
    deployment = steps / "deploy" / "deployment"
    if deployment.exists():
        shutil.copytree(deployment, out / "deployment")
    metrics = read_json(report / "metrics.json")
    metrics |= {"timings_s": watcher.timings, "peak_rss_mb": watcher.peak_rss_mb}
    write_json(report / "metrics.json", metrics)
    verdict = read_json(report / "verdict.json")
    watcher.summary(metrics, verdict, report, settings.store)
    return 0 if verdict["passed"] else REFUSED
