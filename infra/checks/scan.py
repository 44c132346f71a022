"""checkov over the rendered pods, beside one planted bad pod that shows that it looked."""

import json
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from components.common.errors import CuveeError
from infra.checks.render import Object
from infra.checks.tools import tool

PASSED_OVER = {
    "CKV_K8S_11": "no CPU limit: throttling costs the tail, requests bound the share",
    "CKV_K8S_15": "a fixed tag or digest need not be pulled again",
    "CKV_K8S_35": "the server reads the key of the pseudonyms from its environment",
    "CKV_K8S_43": "digests are the overlay's to give (`images:`); tags here are fixed",
    "CKV2_K8S_6": "policies are evaluated connection by connection (infra/checks/network.py)",
}
OF_SERVERS = {"CKV_K8S_8", "CKV_K8S_9"}
"""Probes: a pod that runs once answers no questions."""
PLANTED = "planted"
CAUGHT = {"CKV_K8S_16", "CKV_K8S_19", "CKV_K8S_20", "CKV_K8S_22", "CKV_K8S_31", "CKV_K8S_37", "CKV_K8S_40"}


def problems(pods: list[Object]) -> list[str]:
    """What checkov finds in *pods*, but for what is passed over with a reason.

    Raises:
        CuveeError: checkov is absent, gives no report, or does not see that the planted pod is bad.
    """
    checkov = tool("checkov")
    with tempfile.TemporaryDirectory() as folder:
        for number, pod in enumerate([*pods, planted()]):
            (Path(folder) / f"{number}.yaml").write_text(yaml.safe_dump(pod), encoding="utf-8")
        command = [checkov, "-d", folder, "--framework", "kubernetes", "--skip-download", "--compact", "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    once = {f"Pod.{_place(pod)}" for pod in pods if pod["spec"].get("restartPolicy") == "Never"}
    return _read(done.stdout, len(pods) + 1, once)


def _place(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}.{pod['metadata']['name']}"


def _read(report: str, count: int, once: Collection[str] = ()) -> list[str]:
    try:
        told: dict[str, Any] = json.loads(report)
        seen, failed = told["summary"]["resource_count"], told["results"]["failed_checks"]
    except (ValueError, KeyError, TypeError) as error:
        raise CuveeError(f"checkov gave no report: {report[:200]!r}. Run it by hand on a pod.") from error
    bad = {one["check_id"] for one in failed if one["resource"].endswith(f".{PLANTED}")}
    if seen != count or not bad >= CAUGHT:
        raise CuveeError(
            f"checkov saw {seen} of {count} pods and missed {sorted(CAUGHT - bad)} in a pod made to be bad; "
            f"its silence on the others says nothing. Install the locked version: `make install-infra`."
        )
    return [
        f"{one['resource']}: {one['check_id']} {one['check_name']}"
        for one in failed
        if one["check_id"] not in PASSED_OVER
        and not one["resource"].endswith(f".{PLANTED}")
        and not (one["check_id"] in OF_SERVERS and one["resource"] in once)
    ]


def planted() -> Object:
    """A pod that breaks what `CAUGHT` names."""
    container = {"name": "bad", "image": "bad:latest", "securityContext": {"privileged": True, "runAsUser": 0}}
    spec = {"hostNetwork": True, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": PLANTED, "namespace": "cuvee"}, "spec": spec}
