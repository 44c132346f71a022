"""The pipeline's own steps, one process each, kept on the disk so that a bench can be stopped and started again.

What runs is read from the compiled composition of `pipelines.train_and_deploy`: there is no second list of stages.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from components.common.errors import CuveeError
from components.common.files import read_json, write_json
from components.common.stage import PROGRESS_FILE

ROOT = Path(__file__).resolve().parents[2]
WANTED = ("package", "materialize")  # a release and the users' states: all that judging needs
HANDLER = "exit-handler"  # how kfp names the group of tasks that a task of its own follows whatever happens
DONE_FILE = "done.json"
SOURCES = ("components", "serving", "pipelines")
QUIET = {"GX_ANALYTICS_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "2", "HF_HUB_OFFLINE": "1"}
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Output = tuple[str, str]  # step, name of its artifact


@dataclass(frozen=True)
class Step:
    """One task of the pipeline.

    parameters: by name, as the pipeline's arguments and defaults give them. inputs: by name, whose output it is.
    outputs: names of its artifacts.
    """

    name: str
    parameters: dict[str, Any]
    inputs: dict[str, Output]
    outputs: tuple[str, ...]


def composition(
    arguments: Mapping[str, Any], given: Collection[Output] = (), last: Iterable[str] = WANTED
) -> list[Step]:
    """The steps that lead to *last*, in an order in which they can run.

    Args:
        arguments: the pipeline's parameters; those not named keep the pipeline's defaults.
        given: outputs that exist already: the steps behind them are left out.
        last: the steps to reach.
    """
    spec = _compiled()
    known = spec["root"]["inputDefinitions"]["parameters"]
    values = {name: arguments.get(name, one.get("defaultValue")) for name, one in known.items()}
    tasks, seen = _work(spec, values)
    ordered: dict[str, Step] = {}

    def reach(name: str) -> None:
        if name in ordered:
            return
        component = spec["components"][tasks[name]["componentRef"]["name"]]
        step = _step(name, tasks[name], component, seen)
        for output in step.inputs.values():
            if output not in given:
                reach(output[0])
        ordered[name] = step

    for name in last:
        reach(name)
    return list(ordered.values())


def _work(spec: dict[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The tasks that the pipeline's exit handler holds, and the values of the parameters that they see."""
    (handler,) = (task for name, task in spec["root"]["dag"]["tasks"].items() if name.startswith(HANDLER))
    group = spec["components"][handler["componentRef"]["name"]]
    given = handler["inputs"]["parameters"]
    return group["dag"]["tasks"], {name: values[one["componentInputParameter"]] for name, one in given.items()}


def _compiled() -> dict[str, Any]:
    from kfp import compiler

    from pipelines.train_and_deploy import train_and_deploy

    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(train_and_deploy, str(path))
        spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return spec


def _step(name: str, task: dict[str, Any], component: dict[str, Any], values: Mapping[str, Any]) -> Step:
    inputs = task.get("inputs", {})
    kinds = component.get("inputDefinitions", {}).get("parameters", {})
    parameters = {
        key: _value(one, kinds[key]["parameterType"], values) for key, one in inputs.get("parameters", {}).items()
    }
    artifacts = {
        key: (one["taskOutputArtifact"]["producerTask"], one["taskOutputArtifact"]["outputArtifactKey"])
        for key, one in inputs.get("artifacts", {}).items()
    }
    return Step(name, parameters, artifacts, tuple(component.get("outputDefinitions", {}).get("artifacts", {})))


def _value(source: dict[str, Any], kind: str, values: Mapping[str, Any]) -> Any:
    if "componentInputParameter" in source:
        value = values[source["componentInputParameter"]]
    else:
        value = source["runtimeValue"]["constant"]
    return int(value) if kind == "NUMBER_INTEGER" else value


@dataclass
class Kept:
    """A folder of finished steps: <root>/<step>/<artifact>, as kfp's local runner lays them out.

    given: outputs that live elsewhere. environment: more variables for the steps. any_code: steps that another version
    of the code finished count too. ran: the steps that this object has run itself.
    """

    root: Path
    given: Mapping[Output, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    any_code: bool = False
    ran: list[str] = field(default_factory=list)

    def path(self, output: Output) -> Path:
        """Where an output is, or will be."""
        return self.given.get(output) or self.root / output[0] / output[1]

    def run(self, steps: Iterable[Step]) -> None:
        """Run what is not finished yet.

        A step is finished if it ended well with the same parameters and code, and nothing it reads is to be made anew.

        Raises:
            CuveeError: a step failed; names its log.
        """
        open_steps = self._open(steps)
        for step in open_steps:  # all at once: a run that is cut short leaves nothing that looks finished
            self._done(step).unlink(missing_ok=True)
        for step in open_steps:
            seconds = self._run(step)
            write_json(self._done(step), {"parameters": step.parameters, "source": source_digest(), "seconds": seconds})
            self.ran.append(step.name)

    def _open(self, steps: Iterable[Step]) -> list[Step]:
        found: dict[str, Step] = {}
        source = source_digest()
        for step in steps:
            stale = any(producer in found for producer, _ in step.inputs.values())
            if stale or not self._is_finished(step, source):
                found[step.name] = step
        return list(found.values())

    def _is_finished(self, step: Step, source: str) -> bool:
        if not self._done(step).exists():
            return False
        done = read_json(self._done(step))
        return bool(done["parameters"] == step.parameters and (self.any_code or done["source"] == source))

    def _done(self, step: Step) -> Path:
        return self.root / step.name / DONE_FILE

    def _run(self, step: Step) -> float:
        folder = self.root / step.name
        folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        log = folder / "log.txt"
        asked = {
            "function": step.name.replace("-", "_"),
            "parameters": step.parameters,
            "inputs": {name: str(self.path(output)) for name, output in step.inputs.items()},
            "outputs": {name: str(folder / name) for name in step.outputs},
        }
        code = start("benchmarks.quality.step", [json.dumps(asked)], log, self._variables())
        if code:
            raise CuveeError(f"{self.root.name}: the step {step.name} failed (exit code {code}). Its log is {log}.")
        return round(time.perf_counter() - started, 3)

    def _variables(self) -> dict[str, str]:
        return {PROGRESS_FILE: str((self.root / "progress.jsonl").resolve()), **self.environment}

    @property
    def sources(self) -> set[str]:
        """Digests of the code that made the finished steps."""
        return {str(read_json(path)["source"]) for path in sorted(self.root.glob(f"*/{DONE_FILE}"))}


def start(module: str, arguments: list[str], log: Path, variables: Mapping[str, str] | None = None) -> int:
    """Run a module as a process of its own, one thread for its linear algebra, and return its exit code."""
    environment = os.environ | QUIET | THREADS | dict(variables or {})
    with log.open("w", encoding="utf-8") as handle:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, stdout=handle, stderr=handle, env=environment, cwd=ROOT, check=False).returncode


def source_digest() -> str:
    """Twelve hex characters that name the project's own code, byte by byte."""
    digest = hashlib.sha256()
    for path in sorted(path for name in SOURCES for path in (ROOT / name).rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
