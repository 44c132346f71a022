"""The fine-tuning through Kubeflow's SDK: its local backend runs, in a process of its own, what the step would run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from kubeflow.trainer import TrainerClient
from kubeflow.trainer.backends.kubernetes.backend import KubernetesBackend
from small_bert import CONFIG, make_bert, planted

from components.common.errors import CuveeError
from components.train_text import train_job
from components.train_text.fine_tune import fine_tune
from components.train_text.train_job import IN_CLUSTER, TASK, Task, fine_tune_on
from infra.checks.render import INFRA
from infra.checks.schemas import Schemas
from serving.encoder import TextEncoder

SETTINGS = CONFIG.model_copy(update={"epochs": 3})


@pytest.fixture
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a cluster."""
    monkeypatch.delenv(IN_CLUSTER, raising=False)


@pytest.mark.usefixtures("on_this_machine")
def test_a_job_ends_with_the_loss_and_the_model_of_the_step(tmp_path: Path) -> None:
    source = str(make_bert(tmp_path / "bert"))
    here = fine_tune(planted(0), tmp_path / "here", 0, source, SETTINGS)
    there = fine_tune_on(1, planted(0), tmp_path / "store" / "there", 0, source, SETTINGS.model_dump())
    assert there.loss == pytest.approx(here.loss, rel=1e-4)
    assert (there.pairs, there.held_out, there.after) == (here.pairs, here.held_out, here.after)
    one, two = (TextEncoder.load(path, 1) for path in (tmp_path / "here", tmp_path / "store" / "there"))
    texts = [text for text, _ in planted(0)[:20]]
    np.testing.assert_allclose(one.encode(texts), two.encode(texts), atol=1e-4)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["there"], "what passed to and fro is left"


@pytest.mark.usefixtures("on_this_machine")
def test_a_job_that_fails_says_the_end_of_its_log_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").touch()
    with pytest.raises(CuveeError, match=r"TrainJob cuvee-fine-tune-\w+ failed[\s\S]*expected at least"):
        fine_tune_on(1, planted(0)[:3], tmp_path / "out", 0, str(make_bert(tmp_path / "bert")), {})
    assert {path.name for path in tmp_path.iterdir()} == {"bert", "out"}
    assert (tmp_path / "out" / "kept").exists()


class Cluster:
    """The routes of a Kubernetes API that the SDK uses for a job; what is created is kept and complete."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.gone: list[str] = []
        self.asked: set[tuple[str, str]] = set()

    def get_namespaced_custom_object(self, *place: str, async_req: bool) -> Any:
        self.asked.add(("get", place[3]))
        return _Told(self._runtime() if place[3] == "trainingruntimes" else self._done(place[4]))

    def create_namespaced_custom_object(self, *place: Any) -> None:
        self.asked.add(("create", place[3]))
        self.made.append(place[4])

    def delete_namespaced_custom_object(self, *place: str, name: str) -> None:
        self.asked.add(("delete", place[3]))
        self.gone.append(name)

    def list_namespaced_pod(self, *_place: str, **_asked: Any) -> Any:
        from kubeflow_trainer_api import models

        self.asked.add(("list", "pods"))
        return _Told(models.IoK8sApiCoreV1PodList(items=[]))

    def _runtime(self) -> dict[str, Any]:
        runtime: dict[str, Any] = next(yaml.safe_load_all((INFRA / "scale" / "training-runtime.yaml").read_text()))
        return runtime

    def _done(self, name: str) -> dict[str, Any]:
        (job,) = [one for one in self.made if one["metadata"]["name"] == name]
        at = "2026-11-23T00:00:00Z"
        job["metadata"] |= {"namespace": "cuvee", "creationTimestamp": at, "uid": "u"}
        done = {"type": "Complete", "status": "True", "reason": "x", "message": "x", "lastTransitionTime": at}
        return job | {"status": {"conditions": [done]}}


class _Told:
    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self, _timeout: float) -> Any:
        return self._value


def test_in_a_cluster_a_valid_train_job_over_the_nodes_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schemas: Schemas
) -> None:
    cluster = Cluster()
    backend = KubernetesBackend.__new__(KubernetesBackend)
    backend.namespace, backend.custom_api, backend.core_api = "cuvee", cluster, cluster
    client = TrainerClient.__new__(TrainerClient)
    client.backend = backend
    monkeypatch.setattr("kubeflow.trainer.TrainerClient", lambda _config: client)
    monkeypatch.setenv(IN_CLUSTER, "10.96.0.1")
    task = Task(folder=tmp_path, seed=1, source="s", settings={"epochs": 2})
    train_job._run(2, task, 60)
    (job,) = cluster.made
    assert schemas.problems({name: part for name, part in job.items() if name != "status"}) == []
    assert job["spec"]["runtimeRef"]["name"] == "cuvee-torch"
    trainer = job["spec"]["trainer"]
    assert trainer["numNodes"] == 2
    assert [one for one in trainer["env"] if one["name"] == TASK] == [{"name": TASK, "value": task.model_dump_json()}]
    assert {one["name"] for one in trainer["env"]} == {TASK}, "nothing of this machine goes to the nodes"
    assert "torchrun" in json.dumps(trainer["command"])
    assert "tune_task" in json.dumps(trainer["command"])
    assert cluster.gone == [job["metadata"]["name"]]
    role = next(yaml.safe_load_all((INFRA / "scale" / "train-rights.yaml").read_text()))
    rights = {(verb, one) for rule in role["rules"] for verb in rule["verbs"] for one in rule["resources"]}
    assert cluster.asked == rights - {("get", "pods/log")}, "the log is read where a job has failed"
