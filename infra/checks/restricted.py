"""Kubernetes' Pod Security Standard `restricted`, rule by rule, and what this project asks beyond it."""

import re
from collections.abc import Iterator
from typing import Any

from infra.checks.render import Object, label

Part = dict[str, Any]
VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
SECCOMP = {"RuntimeDefault", "Localhost"}
SELINUX = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
QUANTITY = re.compile(r"^\d+(\.\d+)?(m|[kKMGTPE]i?)?$")
SECRETIVE = re.compile(r"(?i)(password|secret|token|api_?key|_key$)")


def problems(pod: Object) -> list[str]:
    """What the profile forbids in *pod*, and what this project asks of every container."""
    spec = pod["spec"]
    said = [*_pod(spec)]
    for container in _containers(spec):
        own = container.get("securityContext", {})
        for rule in (*_container(container, own, spec.get("securityContext", {})), *_house(container, own)):
            said.append(f"container {container.get('name')}: {rule}")
    return [f"{label(pod)}: {rule}" for rule in said]


def _containers(spec: Part) -> Iterator[Part]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind, [])


def _pod(spec: Part) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is set"
    if spec.get("hostUsers") and spec.get("securityContext", {}).get("runAsUser") == 0:
        yield "root of the host's users"
    for volume in spec.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds - VOLUMES))} is not allowed"
    for sysctl in spec.get("securityContext", {}).get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not safe"
    if not spec.get("containers"):
        yield "no containers"


def _container(container: Part, own: Part, pod: Part) -> Iterator[str]:
    yield from _rights(own)
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "runs as root"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "no seccomp profile RuntimeDefault or Localhost"
    if (own.get("appArmorProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "AppArmor is off"
    selinux = own.get("seLinuxOptions") or pod.get("seLinuxOptions") or {}
    if selinux.get("type", "container_t") not in SELINUX or selinux.keys() & {"user", "role"}:
        yield "SELinux options beyond the container types"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "takes a port of the host"


def _rights(own: Part) -> Iterator[str]:
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "does not drop ALL capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"adds capabilities {', '.join(capabilities['add'])}"
    if own.get("procMount", "Default") != "Default":
        yield "procMount is not Default"


def _house(container: Part, own: Part) -> Iterator[str]:
    """Beyond the profile: a read-only root, bounded memory, a pinned image, no secret in plain sight."""
    if own.get("readOnlyRootFilesystem") is not True:
        yield "the root file system can be written"
    resources = container.get("resources", {})
    asked = resources.get("requests", {})
    if not {"cpu", "memory"} <= asked.keys() or "memory" not in resources.get("limits", {}):
        yield "needs requests of cpu and memory, and a limit of memory"
    for amount in (*asked.values(), *resources.get("limits", {}).values()):
        if not QUANTITY.match(str(amount)):
            yield f"{amount!r} is no quantity"
    image = str(container.get("image", ""))
    if ("@sha256:" not in image and ":" not in image.rpartition("/")[2]) or image.endswith(":latest"):
        yield f"image {image!r} is not pinned"
    for variable in container.get("env", []):
        if "value" in variable and SECRETIVE.search(variable["name"]):
            yield f"variable {variable['name']} shows its value"
