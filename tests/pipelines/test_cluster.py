"""What a cluster adds to the pipelines: on which steps, and that nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import components, dsl, local
from kfp.kubernetes import kubernetes_executor_config_pb2 as config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from components.common.errors import ConfigError
from infra.checks.schemas import Schemas
from pipelines.cluster import Cluster, Toleration, placed
from pipelines.compile import compile_all, gitops, write_gitops

ON_GPU = {
    "train_and_deploy": {"train-deep", "train-cf", "train-text"},
    "tune": {"train-deep", "train-cf", "train-text", "tune-members", "tune-members-2", "tune-members-3"},
    "fine_tune": {"fine-tune"},
}
SELECTOR = {"labels": {"pool": "gpu"}}
GPU = Cluster(gpu=True, node_selector={"pool": "gpu"}, tolerations=(Toleration(key="gpu"),), accelerators=2, queue="q")


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Containers and platform settings of a compiled pipeline, by step."""
    spec, platform = yaml.safe_load_all(path.read_text())
    containers = spec["deploymentSpec"]["executors"]
    placed_on = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return (
        {name.removeprefix("exec-"): one["container"] for name, one in containers.items()},
        {name.removeprefix("exec-"): one for name, one in placed_on.items()},
    )


def tasks(dag: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, task in dag["tasks"].items():
        inner = parts[task["componentRef"]["name"]].get("dag")
        found |= tasks(inner, parts) if inner else {name: task}
    return found


def steps(path: Path) -> dict[str, Any]:
    spec = next(iter(yaml.safe_load_all(path.read_text())))
    return tasks(spec["root"]["dag"], spec["components"])


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.stem: path for path in compile_all(tmp_path_factory.mktemp("cpu"))}


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.stem: path for path in compile_all(tmp_path_factory.mktemp("gpu"), GPU)}


@pytest.mark.parametrize("name", ON_GPU)
def test_accelerators_stand_on_exactly_the_training_steps(gpu: dict[str, Path], name: str) -> None:
    containers, platform = read(gpu[name])
    for found in (
        {step for step, one in containers.items() if "accelerator" in one["resources"]},
        {step for step, one in platform.items() if "nodeSelector" in one},
        {step for step, one in platform.items() if "tolerations" in one},
        {step for step, one in platform.items() if one.get("podMetadata")},
        {step for step, one in containers.items() if one["image"].endswith("-gpu")},
    ):
        assert found == ON_GPU[name]
    for step in ON_GPU[name]:
        assert containers[step]["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
        assert containers[step]["resources"]["accelerator"]["resourceCount"] == "2"
        assert platform[step]["nodeSelector"] == SELECTOR
        assert platform[step]["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
        assert platform[step]["podMetadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "q"}


@pytest.mark.parametrize("name", ON_GPU)
def test_without_gpus_nothing_of_them_is_said(cpu: dict[str, Path], name: str) -> None:
    text = cpu[name].read_text()
    for word in ("accelerator", "nodeSelector", "tolerations", "nvidia", "-gpu", "kueue"):
        assert word not in text


def test_every_step_says_what_it_needs_and_runs_as_nobody_special(cpu: dict[str, Path]) -> None:
    for path in cpu.values():
        containers, platform = read(path)
        assert containers.keys() == platform.keys()
        for step, one in containers.items():
            asked = one["resources"]
            assert {"resourceCpuRequest", "resourceMemoryRequest", "resourceMemoryLimit"} <= asked.keys(), step
            assert "resourceCpuLimit" not in asked
            assert platform[step]["securityContext"]["runAsNonRoot"] is True
            assert platform[step]["securityContext"]["runAsUser"] == "10001"


def test_what_changes_the_world_is_tried_once_and_never_remembered(cpu: dict[str, Path]) -> None:
    found = steps(cpu["train_and_deploy"])
    for name, task in found.items():
        remembered = task["cachingOptions"].get("enableCache", False)
        assert remembered == (name not in {"ingest", "evaluate", "materialize-online", "deploy", "report-ending"}), name
        assert ("retryPolicy" in task) == (name not in {"materialize-online", "deploy"}), name
    assert {task["retryPolicy"]["maxRetryCount"] for task in found.values() if "retryPolicy" in task} == {2}


def test_secrets_and_volumes_come_by_reference_where_they_are_needed(cpu: dict[str, Path]) -> None:
    _, platform = read(cpu["train_and_deploy"])
    keyed = {step for step, one in platform.items() if "secretAsEnv" in one}
    mounted = {step for step, one in platform.items() if "pvcMount" in one}
    assert keyed == {"ingest", "deploy"}
    assert mounted == {"ingest", "encode", "evaluate", "materialize-online", "deploy", "report-ending"}
    assert platform["ingest"]["secretAsEnv"][0]["secretName"] == "cuvee-id-key"


def test_the_signing_key_reaches_deploy_alone(tmp_path: Path) -> None:
    compiled = {path.stem: path for path in compile_all(tmp_path, Cluster(signing_secret="own-key"))}
    _, platform = read(compiled["train_and_deploy"])
    given = {step: [key["envVar"] for each in one.get("secretAsEnv", []) if each["secretName"] == "own-key"
                    for key in each["keyToEnv"]] for step, one in platform.items()}  # fmt: skip
    assert {step: keys for step, keys in given.items() if keys} == {"deploy": ["CUVEE_SIGNING_KEY"]}


def test_every_field_is_one_that_kubeflow_knows(gpu: dict[str, Path]) -> None:
    for path in gpu.values():
        spec, _ = yaml.safe_load_all(path.read_text())
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        for one in read(path)[1].values():
            json_format.ParseDict(one, config_pb2.KubernetesExecutorConfig())


def test_objects_for_gitops_are_valid_and_named_after_their_content(
    cpu: dict[str, Path], gpu: dict[str, Path], schemas: Schemas
) -> None:
    first, second = gitops(cpu["tune"], "cuvee"), gitops(gpu["tune"], "cuvee")
    for objects in (first, second, gitops(cpu["train_and_deploy"], "cuvee")):
        assert [one["kind"] for one in objects] == ["Pipeline", "PipelineVersion"]
        assert [problem for one in objects for problem in schemas.problems(one)] == []
    assert first[1]["spec"]["pipelineName"] == first[0]["metadata"]["name"]
    assert first[1]["metadata"]["name"] != second[1]["metadata"]["name"]
    written = write_gitops([cpu["tune"]], "cuvee")
    assert list(yaml.safe_load_all(written[0].read_text())) == first


def test_a_cluster_is_a_closed_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("gpus: true\n")
    with pytest.raises(ConfigError, match="gpu"):
        Cluster.from_yaml(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("gpu: true\ntolerations: [{key: a, operator: Equal, value: b}]\ntries: 0\n")
    assert Cluster.from_yaml(tmp_path / "c.yaml").tolerations[0].value == "b"


def test_servers_of_features_and_releases_are_named_and_their_secrets_only_referred_to(tmp_path: Path) -> None:
    cluster = Cluster(feature_store="cluster", releases="s3://shop/releases", releases_endpoint="https://s3.example")
    (path, *_) = compile_all(tmp_path, cluster)
    containers, placed_on = read(path)
    told = {
        step: {one["name"]: one["value"] for one in container.get("env", [])} for step, container in containers.items()
    }
    assert {step for step, env in told.items() if "CUVEE_FEATURE_STORE" in env} == {
        "materialize", "materialize-online", "deploy",
    }  # fmt: skip
    assert {step for step, env in told.items() if "CUVEE_RELEASES" in env} == {"deploy"}
    secret = {
        step: {pair["envVar"] for one in placed.get("secretAsEnv", []) for pair in one["keyToEnv"]}
        for step, placed in placed_on.items()
    }
    assert secret["materialize-online"] == {"CUVEE_REDIS", "CUVEE_REGISTRY"}
    assert secret["deploy"] == secret["materialize-online"] | {
        "CUVEE_ID_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    }  # fmt: skip
    assert not secret["materialize"]


def test_a_placed_pipeline_still_runs_on_this_machine(tmp_path: Path) -> None:
    from kfp import compiler

    def train_cf(number: int) -> int:
        return 2 * number

    step = dsl.component(base_image="ghcr.io/cuvee/pipeline-python:0.1.0", install_kfp_package=False)(train_cf)

    def small(number: int = 21) -> int:
        """Double.

        Args:
            number: what is doubled.
        """
        answer: int = step(number=number).output
        return answer

    compiler.Compiler().compile(placed(dsl.pipeline(name="small")(small), GPU), str(tmp_path / "small.yaml"))
    assert "nvidia.com/gpu" in (tmp_path / "small.yaml").read_text()
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    assert components.load_component_from_file(str(tmp_path / "small.yaml"))(number=4).output == 8
