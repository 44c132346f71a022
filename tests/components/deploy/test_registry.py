"""Releases in a registry that does what Kubeflow's documents."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from model_registry import Registry, running_registry

from components.common.errors import ConfigError, CuveeError
from components.deploy.inference_service import ServiceSettings, inference_service
from components.deploy.registry import register, registry_address, storage_uri
from pipelines.cluster import Cluster
from pipelines.compile import compile_all
from serving.release import Manifest, verify


@pytest.fixture
def running() -> Iterator[tuple[Registry, str]]:
    with running_registry() as both:
        yield both


@pytest.fixture(scope="module")
def made(release: Path) -> Manifest:
    return verify(release)


def test_a_release_is_a_version_with_its_address_and_where_it_came_from(
    running: tuple[Registry, str], made: Manifest
) -> None:
    registry, address = running
    version = register(address, made, "s3://shop/r/1", "0" * 64, "s3://runs/abc/package/release")
    (model,) = registry.kept["registered_model"].values()
    assert model["name"] == "cuvee"
    told = registry.kept["model_version"][version]
    assert (told["name"], told["registeredModelId"]) == (made.release, model["id"])
    facts = {name: one["string_value"] for name, one in told["customProperties"].items()}
    assert facts["previous"] == "0" * 64
    assert facts["members"] == ", ".join(made.members)
    assert facts["trained_until_us"] == str(made.trained_until)
    (artifact,) = registry.kept["model_artifact"].values()
    assert (artifact["parent"], artifact["uri"]) == (version, "s3://shop/r/1")
    assert (artifact["modelSourceKind"], artifact["modelSourceName"]) == ("kfp", "s3://runs/abc/package/release")


def test_registered_again_it_keeps_its_version_and_takes_the_new_address(
    running: tuple[Registry, str], made: Manifest
) -> None:
    registry, address = running
    first = register(address, made, "s3://shop/r/1", None, "")
    assert register(address, made, "s3://shop/r/1", None, "") == first
    assert register(address, made, "s3://other/r/1", None, "") == first
    assert [len(kept) for kept in registry.kept.values()] == [1, 1, 1]
    assert next(iter(registry.kept["model_artifact"].values()))["uri"] == "s3://other/r/1"
    later = register(address, made.model_copy(update={"release": "f" * 64}), "s3://shop/r/2", made.release, "")
    assert later != first
    assert [len(kept) for kept in registry.kept.values()] == [1, 2, 2]


def test_a_registry_that_refuses_or_is_gone_is_told(running: tuple[Registry, str], made: Manifest) -> None:
    registry, address = running
    registry.down = True
    with pytest.raises(CuveeError, match=r"answers 503: .*no database.*Nothing was published"):
        register(address, made, "s3://shop/r/1", None, "")
    with pytest.raises(CuveeError, match="does not answer"):
        register("http://127.0.0.1:9", made, "s3://shop/r/1", None, "")


def test_the_environment_turns_it_on_beside_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUVEE_RELEASES", raising=False)
    monkeypatch.delenv("CUVEE_MODEL_REGISTRY", raising=False)
    assert registry_address() is None
    monkeypatch.setenv("CUVEE_MODEL_REGISTRY", "http://registry:8080/")
    with pytest.raises(ConfigError, match="CUVEE_RELEASES is not"):
        registry_address()
    monkeypatch.setenv("CUVEE_RELEASES", "s3://shop/releases")
    assert registry_address() == "http://registry:8080"
    service = inference_service("d" * 64, ServiceSettings.from_environment())
    (where,) = [one["value"] for one in service["spec"]["predictor"]["containers"][0]["env"] if "value" in one]
    assert where == storage_uri("d" * 64) == f"model-registry://cuvee/{'d' * 64}"
    monkeypatch.setenv("CUVEE_MODEL_REGISTRY", "registry:8080")
    with pytest.raises(ConfigError, match="expected http"):
        registry_address()


def test_only_the_deploy_step_is_told_of_it(tmp_path: Path) -> None:
    cluster = Cluster(releases="s3://shop/releases", model_registry="http://registry:8080")
    spec = next(iter(yaml.safe_load_all(compile_all(tmp_path, cluster)[0].read_text())))
    told = {
        name.removeprefix("exec-")
        for name, one in spec["deploymentSpec"]["executors"].items()
        if {"name": "CUVEE_MODEL_REGISTRY", "value": "http://registry:8080"} in one["container"].get("env", [])
    }
    assert told == {"deploy"}
