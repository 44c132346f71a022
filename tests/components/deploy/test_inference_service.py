"""The rendered object against the real CRD: unknown fields are errors, since a server would drop them silently."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.common.errors import ConfigError
from components.deploy.inference_service import ServiceSettings, inference_service

DIGEST = "ab" * 32


def closed(schema: Any) -> Any:
    """A CRD's OpenAPI schema as JSON Schema in which what is not named is an error."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    out = {name: closed(part) for name, part in schema.items() if name != "format"}
    named = isinstance(out.get("properties"), dict) and "additionalProperties" not in out
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        out["type"] = [schema["type"], "null"]
    return out


@pytest.fixture(scope="session")
def schema(crds: Path) -> Any:
    document = yaml.load((crds / "kserve_inferenceservices.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    version = next(one for one in document["spec"]["versions"] if one["name"] == "v1beta1")
    return closed(version["schema"]["openAPIV3Schema"])


def problems(schema: Any, value: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]


def test_the_object_is_valid_by_the_real_crd(schema: Any) -> None:
    assert problems(schema, inference_service(DIGEST)) == []


def test_what_a_step_knows_of_bucket_and_secret_stands_in_the_object(
    schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUVEE_RELEASES", "s3://shop/releases/")
    monkeypatch.setenv("CUVEE_FEATURES_SECRET", "of-features")
    given = inference_service(DIGEST, ServiceSettings.from_environment())
    assert problems(schema, given) == []
    env = {one["name"]: one for one in given["spec"]["predictor"]["containers"][0]["env"]}
    assert env["STORAGE_URI"]["value"] == f"s3://shop/releases/{DIGEST}"
    assert env["CUVEE_REDIS"]["valueFrom"]["secretKeyRef"] == {"name": "of-features", "key": "redis"}
    assert env["CUVEE_REGISTRY"]["valueFrom"]["secretKeyRef"] == {"name": "of-features", "key": "registry"}
    monkeypatch.setenv("CUVEE_RELEASES", "/mnt/releases")
    with pytest.raises(ConfigError, match="CUVEE_RELEASES"):
        ServiceSettings.from_environment()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "predictor", "minReplica"), 1),
        (("spec", "predictor", "minReplicas"), "two"),
        (("spec", "predictor", "containers", 0, "readinesProbe"), {}),
        (("spec", "predictor", "containers", 0, "env", 0, "valu"), "x"),
        (("spec", "predictor", "containers", 0, "securityContext", "capabilities", "drop"), "ALL"),
        (("spec", "predictor", "containers", 0, "ports", 0, "containerPort"), "8080"),
        (("spec", "predictors"), {}),
    ],
)
def test_the_check_catches_a_planted_mistake(schema: Any, path: tuple[str | int, ...], value: Any) -> None:
    broken = copy.deepcopy(inference_service(DIGEST))
    place: Any = broken
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert problems(schema, broken)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


def test_no_field_is_empty() -> None:
    assert not [leaf for leaf in leaves(inference_service(DIGEST)) if leaf in ("", None) or leaf in ({}, [])]


def test_the_pod_is_restricted() -> None:
    predictor = inference_service(DIGEST)["spec"]["predictor"]
    container = predictor["containers"][0]
    assert predictor["securityContext"]["runAsNonRoot"] is True
    assert predictor["automountServiceAccountToken"] is False
    assert container["securityContext"] | {"seccompProfile": None} == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": None,
    }
    assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= container.keys()


def test_the_release_is_named_by_its_digest_and_settings_by_their_place() -> None:
    settings = ServiceSettings(name="wine", namespace="prod", storage_uri="s3://bucket/{digest}", min_replicas=3)
    service = inference_service(DIGEST, settings)
    container = service["spec"]["predictor"]["containers"][0]
    assert (service["metadata"]["name"], service["metadata"]["namespace"]) == ("wine", "prod")
    assert service["metadata"]["annotations"]["cuvee.dev/release"] == DIGEST
    assert container["env"][0] == {"name": "STORAGE_URI", "value": f"s3://bucket/{DIGEST}"}
    assert service["spec"]["predictor"]["minReplicas"] == 3


@pytest.mark.parametrize("name", ["", "Cuvee", "../x", "a/b", "x" * 50, "a\n"])
def test_a_name_that_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        ServiceSettings.parse({"name": name}, "settings")
