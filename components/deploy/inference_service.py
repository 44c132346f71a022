"""A release as a KServe InferenceService: a pure function from a digest and settings to the object's fields."""

import os
from typing import Any

from pydantic import Field

from components.common.config import Config
from components.common.image import SERVING_IMAGE
from components.deploy.bucket import releases_address
from components.deploy.registry import registry_address, storage_uri
from serving.live import MODEL_NAME

LABEL = r"^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$"  # RFC 1123, with room for what KServe appends
UID = 10001  # infra/images: the serving image's user
PORT = 8080
FEATURES = (("CUVEE_REDIS", "redis"), ("CUVEE_REGISTRY", "registry"))
SECRET_VARIABLE = "CUVEE_FEATURES_SECRET"
MODELS, STORE, SCRATCH = "/mnt/models", "/mnt/store", "/tmp"


class ServiceSettings(Config):
    """What a cluster decides about the service."""

    name: str = Field(default="cuvee", pattern=LABEL, description="the service's name")
    namespace: str = Field(default="cuvee", pattern=LABEL, description="where it lives")
    image: str = Field(default=SERVING_IMAGE, description="the serving image")
    storage_uri: str = Field(
        default="pvc://cuvee-store/releases/{digest}", description="{digest} becomes the release's"
    )
    store_claim: str = Field(default="cuvee-store", description="volume claim that holds the online features")
    key_secret: str = Field(default="cuvee-id-key", description="secret whose key `key` is CUVEE_ID_KEY")
    features_secret: str = Field(
        default="", description="secret whose keys `redis` and `registry` lead to the online features; empty: the store"
    )
    service_account: str = Field(
        default="cuvee-serving", description="its account may read the storage, and nothing else"
    )
    as_of: str = Field(default="now", description="the clock: now, release, or an ISO time")
    min_replicas: int = Field(default=2, ge=0)
    max_replicas: int = Field(default=6, ge=1)
    cpu: str = Field(default="1", description="request; there is no CPU limit, throttling costs the tail")
    memory: str = Field(default="1Gi", description="request and limit")

    @classmethod
    def from_environment(cls) -> "ServiceSettings":
        """The defaults, with the environment's `CUVEE_RELEASES`, `CUVEE_MODEL_REGISTRY`, `CUVEE_FEATURES_SECRET`.

        Raises:
            ConfigError: `CUVEE_RELEASES` is no address in a bucket.
        """
        bucket, secret = releases_address(), os.environ.get(SECRET_VARIABLE)
        given = (
            {"storage_uri": storage_uri("{digest}") if registry_address() else f"{bucket}/{{digest}}"} if bucket else {}
        )
        return cls(**given, **({"features_secret": secret} if secret else {}))


TRUSTED_KEYS = {"name": "cuvee-trusted-keys", "key": "public.pem", "optional": True}  # none: no signature is asked for


def inference_service(digest: str, settings: ServiceSettings | None = None) -> dict[str, Any]:
    """The InferenceService that serves release *digest*; no field is empty."""
    settings = settings or ServiceSettings()
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": settings.name,
            "namespace": settings.namespace,
            "labels": {"app.kubernetes.io/name": MODEL_NAME, "app.kubernetes.io/component": "predictor"},
            "annotations": {"cuvee.dev/release": digest},
        },
        "spec": {"predictor": _predictor(digest, settings)},
    }


def _predictor(digest: str, settings: ServiceSettings) -> dict[str, Any]:
    return {
        "minReplicas": settings.min_replicas,
        "maxReplicas": settings.max_replicas,
        "timeout": 5,
        "serviceAccountName": settings.service_account,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(digest, settings)],
        "volumes": [
            {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "store", "persistentVolumeClaim": {"claimName": settings.store_claim, "readOnly": True}},
        ],
    }


def _container(digest: str, settings: ServiceSettings) -> dict[str, Any]:
    return {
        "name": "kserve-container",
        "image": settings.image,
        "command": ["python", "-m", "serving.server"],
        "args": [
            "--store",
            STORE,
            "--release",
            MODELS,
            "--host",
            "0.0.0.0",
            "--port",
            str(PORT),
            "--as-of",
            settings.as_of,
        ],
        "env": [
            {"name": "STORAGE_URI", "value": settings.storage_uri.format(digest=digest)},
            _from_secret("CUVEE_ID_KEY", settings.key_secret, "key"),
            *(_from_secret(name, settings.features_secret, key) for name, key in FEATURES if settings.features_secret),
            {"name": "CUVEE_TRUSTED_KEYS", "valueFrom": {"configMapKeyRef": TRUSTED_KEYS}},
        ],
        "ports": [{"containerPort": PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": settings.cpu, "memory": settings.memory},
            "limits": {"memory": settings.memory},
        },
        "startupProbe": _probe("/v2/health/live", period=2, failures=60),
        "livenessProbe": _probe("/v2/health/live", period=10, failures=3),
        "readinessProbe": _probe(f"/v2/models/{MODEL_NAME}/ready", period=5, failures=2),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH},
            {"name": "store", "mountPath": STORE, "readOnly": True},
        ],
    }


def _from_secret(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _probe(path: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
