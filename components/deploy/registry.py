"""Kubeflow's Model Registry: every published release as a version of one model, where it is and where it came from.

`CUVEE_MODEL_REGISTRY=http://model-registry-service.kubeflow:8080` turns it on, beside `CUVEE_RELEASES`: the registry
keeps addresses and facts, the bucket the files. KServe then fetches `model-registry://cuvee/DIGEST` by the registry's
own storage initializer (docs/operations.md).
"""

import os
from typing import Any
from urllib.parse import urlsplit

import httpx

from components.common.errors import ConfigError, CuveeError
from components.deploy.bucket import RELEASES_VARIABLE, releases_address
from serving.live import MODEL_NAME
from serving.release import Manifest

REGISTRY_VARIABLE = "CUVEE_MODEL_REGISTRY"
API = "/api/model_registry/v1alpha3"
FORMAT, FORMAT_VERSION = "cuvee", "1"  # as the InferenceService and its runtime call it
KIND = "model-artifact"
ABOUT = "Rankings of a shop: recommendations, search, similar products, bundles, campaigns, ads."
SECONDS = 30.0
Json = dict[str, Any]


def registry_address() -> str | None:
    """Where the registry is, from `CUVEE_MODEL_REGISTRY`; None: there is none.

    Raises:
        ConfigError: it is no address of HTTP, or no bucket is named that holds the files.
    """
    address = os.environ.get(REGISTRY_VARIABLE, "").rstrip("/")
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigError(f"{REGISTRY_VARIABLE}: found {address[:200]!r}, expected http(s)://host:port.")
    if address and not releases_address():
        raise ConfigError(f"{REGISTRY_VARIABLE} is set and {RELEASES_VARIABLE} is not; the registry keeps no files.")
    return address or None


def storage_uri(digest: str) -> str:
    """How KServe is told of a registered release."""
    return f"model-registry://{MODEL_NAME}/{digest}"


def register(address: str, made: Manifest, where: str, previous: str | None, source: str) -> str:
    """Register a release; one that is registered already keeps its version, and its address becomes *where*.

    Args:
        address: the registry's.
        made: the release's manifest.
        where: the release's address in a bucket.
        previous: the release that served before; None: none did.
        source: the artifact of the run that made it.

    Returns:
        The version's id in the registry.

    Raises:
        CuveeError: the registry cannot be reached, or refuses.
    """
    try:
        with httpx.Client(base_url=address + API, timeout=SECONDS) as client:
            model = _found(client, "registered_model", {"name": MODEL_NAME})
            model = model or _sent(client, "POST", "registered_models", {"name": MODEL_NAME, "description": ABOUT})
            asked = {"name": made.release, "parentResourceId": model["id"]}
            version = _found(client, "model_version", asked)
            version = version or _sent(client, "POST", "model_versions", _version(made, model["id"], previous))
            _place(client, made, version["id"], where, source)
            return str(version["id"])
    except httpx.HTTPError as error:
        raise CuveeError(
            f"{REGISTRY_VARIABLE}: {address} does not answer: {error!r}. Nothing was published."
        ) from error


def _place(client: httpx.Client, made: Manifest, version: str, where: str, source: str) -> None:
    """Say where the version's files are: the one artifact that it has."""
    artifact = _artifact(made, where, source)
    known = _found(client, "model_artifact", {"name": artifact["name"], "parentResourceId": version})
    if known is None:
        _sent(client, "POST", f"model_versions/{version}/artifacts", artifact)
    elif known.get("uri") != where:
        _sent(client, "PATCH", f"model_artifacts/{known['id']}", {"artifactType": KIND, "uri": where})


def _version(made: Manifest, model: str, previous: str | None) -> Json:
    facts = {
        "members": ", ".join(made.members),
        "tasks": ", ".join(made.tasks),
        "items": made.items,
        "protocol": made.protocol,
        "effort": made.effort,
        "seed": made.seed,
        "trained_until_us": made.trained_until,
        "previous": previous,
    }
    told = {name: str(value) for name, value in facts.items() if value is not None}
    kept = {name: {"metadataType": "MetadataStringValue", "string_value": value} for name, value in told.items()}
    return {"name": made.release, "registeredModelId": model, "customProperties": kept}


def _artifact(made: Manifest, where: str, source: str) -> Json:
    came = {"modelSourceKind": "kfp", "modelSourceName": source} if source else {}
    told = {"artifactType": KIND, "name": made.release, "uri": where}
    return told | {"modelFormatName": FORMAT, "modelFormatVersion": FORMAT_VERSION} | came


def _found(client: httpx.Client, path: str, asked: dict[str, str]) -> Json | None:
    answer = client.get(path, params=asked)
    return None if answer.status_code == httpx.codes.NOT_FOUND else _told(answer)


def _sent(client: httpx.Client, how: str, path: str, body: Json) -> Json:
    return _told(client.request(how, path, json=body))


def _told(answer: httpx.Response) -> Json:
    if answer.is_error:
        where = answer.request.url.path
        said = f"{where} answers {answer.status_code}: {answer.text[:300]}"
        raise CuveeError(f"{REGISTRY_VARIABLE}: {said}. Nothing was published.")
    told: Json = answer.json()
    return told
