"""One member's search as a Katib Experiment: the same space and objective as Optuna's, a pod for each trial."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from components.common.config import Config
from components.common.errors import ConfigError
from components.common.image import PIPELINE_IMAGE
from components.common.space import Choice, Range, Space
from components.tune.members import Search
from components.tune.study import Values

METRIC = "ndcg_20"
"""What a trial prints, as METRIC=value: the mean over the held-out users."""
CONTAINER = "trial"
UID = 10001  # infra/images


class KatibSettings(Config):
    """What a cluster decides about the trials."""

    namespace: str = Field(default="cuvee", description="where they run")
    image: str = Field(default=PIPELINE_IMAGE, description="the pipeline's image")
    store_claim: str = Field(default="cuvee-store", description="volume claim that holds the finished run")
    trials: int = Field(default=30, ge=1, description="of the search")
    parallel: int = Field(default=3, ge=1, description="at a time")
    cpu: str = Field(default="1", description="request of a trial")
    memory: str = Field(default="4Gi", description="request and limit of a trial")


def experiment(search: Search, command: list[str], settings: KatibSettings | None = None) -> dict[str, Any]:
    """The Experiment that runs *search*.

    Args:
        search: a member, its start and its space.
        command: what a trial runs; `--set NAME=VALUE` for each name of the space is added to it.
        settings: what the cluster decides.
    """
    settings = settings or KatibSettings()
    sets = [part for name in search.space for part in ("--set", f"{name}=${{trialParameters.{_safe(name)}}}")]
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": f"cuvee-{search.member.replace('_', '-')}", "namespace": settings.namespace},
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": METRIC},
            "algorithm": {"algorithmName": "tpe"},
            "maxTrialCount": settings.trials,
            "parallelTrialCount": settings.parallel,
            "maxFailedTrialCount": settings.parallel,
            "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
            "parameters": [_parameter(name, one) for name, one in search.space.items()],
            "trialTemplate": {
                "primaryContainerName": CONTAINER,
                "trialParameters": [{"name": _safe(name), "reference": name} for name in search.space],
                "trialSpec": _job([*command, *sets], settings),
            },
        },
    }


def judged(search: Search, given: Mapping[str, str]) -> float:
    """The mean of the objective at *given*; names left out stand at the start.

    Raises:
        ConfigError: a name that the space does not have, or a value outside it.
    """
    return float(np.nanmean(search.objective(search.start | read(search.space, given))))


def read(space: Space, given: Mapping[str, str]) -> Values:
    """Values as Katib writes them into a command line, typed and checked.

    Raises:
        ConfigError: a name that the space does not have, or a value outside it.
    """
    values = {}
    for name, text in given.items():
        if name not in space:
            raise ConfigError(f"--set {name}: expected one of {', '.join(space)}.")
        value = _typed(space[name], text)
        if not space[name].holds(value):
            raise ConfigError(f"--set {name}: found {text!r}, expected {_said(space[name])}.")
        values[name] = value
    return values


def _typed(one: Range | Choice, text: str) -> Any:
    try:
        if isinstance(one, Choice):
            return json.loads(text)
        return int(text) if one.whole else float(text)
    except ValueError:
        return None if isinstance(one, Range) else text


def _said(one: Range | Choice) -> str:
    if isinstance(one, Choice):
        return f"one of {', '.join(json.dumps(option) for option in one.options)}"
    return f"a {'whole ' if one.whole else ''}number from {one.low:g} to {one.high:g}"


def _parameter(name: str, one: Range | Choice) -> dict[str, Any]:
    if isinstance(one, Choice):
        options = [json.dumps(option) for option in one.options]
        return {"name": name, "parameterType": "categorical", "feasibleSpace": {"list": options}}
    low, high = (str(int(end)) if one.whole else repr(end) for end in (one.low, one.high))
    space = {"min": low, "max": high, "distribution": "logUniform" if one.log else "uniform"}
    return {"name": name, "parameterType": "int" if one.whole else "double", "feasibleSpace": space}


def _safe(name: str) -> str:
    """A name as Katib's placeholders take it: dots are not among their letters."""
    return name.replace(".", "-").replace("_", "-")


def _job(command: list[str], settings: KatibSettings) -> dict[str, Any]:
    resources = {
        "requests": {"cpu": settings.cpu, "memory": settings.memory},
        "limits": {"memory": settings.memory},
    }
    container = {
        "name": CONTAINER,
        "image": settings.image,
        "command": command,
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "scratch", "mountPath": "/tmp"},
            {"name": "store", "mountPath": "/store", "readOnly": True},
        ],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": UID, "runAsGroup": UID, "fsGroup": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "store", "persistentVolumeClaim": {"claimName": settings.store_claim, "readOnly": True}},
        ],
    }  # fmt: skip
    labels = {"sidecar.istio.io/inject": "false"}  # a job does not end while a proxy runs beside it
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": template}}
