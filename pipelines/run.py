"""`cuvee run`: start the local pipeline, show its stages, collect what it leaves, say how it ended."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from components.common.config import Config, Effort, Protocol
from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.common.stage import PROGRESS_FILE
from components.evaluate.known_relations import read_relations
from pipelines.console import Watcher

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
    compiled: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """The pipeline's parameters; paths absolute, since steps run elsewhere."""
        values = self.model_dump(exclude={"out", "compiled"}, mode="json")
        values["store"] = str(self.store.resolve())
        for name in ("config", "relations"):
            values[name] = str(Path(values[name]).resolve()) if values[name] else ""
        if Path(self.encoder).is_dir():
            values["encoder"] = str(Path(self.encoder).resolve())
        if self.data != "complete-journey":
            values["data"] = str(Path(self.data).resolve())
        return values


def run(settings: RunSettings) -> int:
    """Run the pipeline and return the exit code: 0 deployed, 2 bad input, 3 refused by the gate, 1 a failure."""
    if settings.relations:
        read_relations(Path(settings.relations))  # they are asked for last: better told now than then
    out = settings.out.resolve()
    for name in ("pipeline", "report", "release", "deployment"):
        shutil.rmtree(out / name, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    progress, log = out / "progress.jsonl", out / "run.log"
    progress.write_text("")
    watcher = Watcher(progress)
    command = [sys.executable, "-m", "pipelines.local", str(out / "pipeline"), json.dumps(settings.arguments())]
    if settings.compiled:
        command.append(str(settings.compiled.resolve()))
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
        return int(watcher.failure["exit_code"])
    return _finish(out, watcher, settings)


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
