"""The fine-tuning as a TrainJob of Kubeflow Trainer, started and awaited through Kubeflow's SDK.

The step and the job's nodes share the store's volume: texts go there, the tuned model comes from there. Outside of a
cluster the SDK runs the same function in a process of its own.
"""

import os
import shutil
import sys
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from components.common.config import Config
from components.common.errors import CuveeError
from components.common.files import read_json, write_json

if TYPE_CHECKING:
    from components.train_text.fine_tune import Pair, Tuned

RUNTIME = "cuvee-torch"  # infra/scale/training-runtime.yaml
TASK = "CUVEE_FINE_TUNE"  # JSON of a Task; the SDK's backends hand arguments over differently, variables alike
RESULT_FILE, PAIRS_FILE = "tuned.json", "pairs.json"
COMPLETE, FAILED = "Complete", "Failed"
LOG_LINES = 20
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
PASSED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")  # to a process of this machine


class Task(Config):
    """What a node is told."""

    folder: Path = Field(description="of the pairs, and for the model and the result")
    seed: int = Field(description="divides and orders the pairs")
    source: str = Field(description="folder or package of the model")
    settings: dict[str, Any] = Field(description="the numbers of the fine-tuning")


def train() -> None:
    """Every node's function, whose source alone the SDK sends."""
    import os

    from components.train_text.train_job import TASK, Task, tune_task

    tune_task(Task.model_validate_json(os.environ[TASK]))


def tune_task(task: Task) -> None:
    """Take this process's part in the task; the first process writes model and result."""
    from components.train_text.fine_tune import FineTuneConfig, fine_tune

    pairs = [(first, second) for first, second in read_json(task.folder / PAIRS_FILE)]
    tuned = fine_tune(pairs, task.folder / "model", task.seed, task.source, FineTuneConfig(**task.settings))
    if os.environ.get("RANK", "0") == "0":
        write_json(task.folder / RESULT_FILE, asdict(tuned))


def fine_tune_on(
    nodes: int,
    pairs: "list[Pair]",
    out: Path,
    seed: int,
    source: str,
    settings: dict[str, Any],
    timeout_s: int = 21_600,
) -> "Tuned":
    """Tune by a job of so many *nodes* and bring the model to *out*, which all of them have to see.

    Args:
        nodes: of the job, a process each; the batch has to be divisible by it. Outside of a cluster it is one process.
        pairs: texts that belong together.
        out: folder to write.
        seed: divides and orders the pairs.
        source: folder or package of the model, the same at every node.
        settings: of FineTuneConfig.
        timeout_s: how long the job may take, with its wait for nodes.

    Raises:
        CuveeError: the job failed or took too long; the message has the end of its log.
    """
    from components.train_text.fine_tune import Tuned

    out = out.resolve()  # the SDK's local backend changes the process' folder
    folder = out.parent / f".{out.name}-{uuid.uuid4().hex[:8]}"
    task = Task(folder=folder, seed=seed, source=source, settings=settings)
    folder.mkdir(parents=True)
    try:
        write_json(folder / PAIRS_FILE, [list(pair) for pair in pairs])
        _run(nodes, task, timeout_s)
        tuned = Tuned(**read_json(folder / RESULT_FILE))
        shutil.rmtree(out, ignore_errors=True)
        (folder / "model").rename(out)
        return tuned
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(nodes: int, task: Task, timeout_s: int) -> None:
    from kubeflow.trainer import CustomTrainer, TrainerClient
    from kubeflow.trainer.backends.localprocess.types import LocalProcessBackendConfig
    from kubeflow.trainer.options.common import Name

    here = IN_CLUSTER not in os.environ
    client = TrainerClient(LocalProcessBackendConfig() if here else None)
    runtime = client.get_runtime("torch-distributed" if here else RUNTIME)
    if here:
        runtime.trainer.framework = "python"  # torchrun would be looked for in an environment without torch
    env = _of_this_machine() if here else {}
    trainer = CustomTrainer(func=train, num_nodes=nodes, env=env | {TASK: task.model_dump_json()})
    options = [Name(f"cuvee-fine-tune-{uuid.uuid4().hex[:8]}")]
    name = client.train(runtime=runtime, trainer=trainer, options=options)
    try:
        status = client.wait_for_job_status(name, {COMPLETE, FAILED}, timeout=timeout_s).status
    except TimeoutError as error:
        client.delete_job(name)
        raise CuveeError(f"TrainJob {name} has not ended after {timeout_s} s, and was ended.") from error
    if status != COMPLETE:
        told = "\n".join(list(client.get_job_logs(name))[-LOG_LINES:])
        raise CuveeError(f"TrainJob {name} failed. The end of its log:\n{told}")
    client.delete_job(name)


def _of_this_machine() -> dict[str, str]:
    """What a process needs to import what this one does."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return env | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
