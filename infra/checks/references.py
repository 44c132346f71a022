"""What the objects of one overlay say of each other: names that must be there, rights that must be small."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from infra.checks.pods import pods
from infra.checks.render import Object, label, of_kind

GIVEN = {
    ("Secret", "cuvee-id-key"): "made by hand on kind (docs/operations.md)",
    ("ConfigMap", "kfp-launcher"): "made by Kubeflow Pipelines in every profile",
}
BASELINE = {"cuvee-features": "Feast's operator gives its containers no security context"}
FORBIDDEN_VERBS = {"*", "bind", "escalate", "impersonate"}
BY_NAME = {"secrets", "configmaps"}
Named = tuple[str, str, str]
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def problems(objects: list[Object]) -> list[str]:
    """Names that nothing answers to, rights that are too wide, services that cannot survive the loss of a node."""
    known = {(one["kind"], one["metadata"]["name"]) for one in objects} | set(GIVEN)
    known |= {("Secret", one["spec"]["target"]["name"]) for one in of_kind(objects, "ExternalSecret")}
    named = [*_of_pods(objects), *_of_objects(objects)]
    missing = [f"{where}: {kind} {name} is nowhere" for where, kind, name in named if (kind, name) not in known]
    return [*missing, *_rights(objects), *_services(objects), *_monitors(objects), *_namespaces(objects)]


def _of_pods(objects: list[Object]) -> Iterator[Named]:
    for pod in pods(objects):
        spec, where = pod["spec"], label(pod)
        if "serviceAccountName" in spec:
            yield where, "ServiceAccount", spec["serviceAccountName"]
        for volume in spec.get("volumes", []):
            yield from _of_volume(where, volume)
        for container in spec.get("containers", []):
            sources = [one["valueFrom"] for one in container.get("env", []) if "valueFrom" in one]
            yield from ((where, "Secret", one["secretKeyRef"]["name"]) for one in sources if "secretKeyRef" in one)


def _of_objects(objects: list[Object]) -> Iterator[Named]:
    for one in objects:
        for kind, name in NAMED_BY.get(str(one["kind"]), _nothing)(one):
            yield label(one), kind, name


def _nothing(_one: Object) -> list[tuple[str, str]]:
    return []


def _of_binding(one: Object) -> list[tuple[str, str]]:
    return [(each["kind"], each["name"]) for each in (one["roleRef"], *one["subjects"])]


def _of_service(one: Object) -> list[tuple[str, str]]:
    return [("ServingRuntime", one["spec"]["predictor"]["model"]["runtime"])]


def _of_account(one: Object) -> list[tuple[str, str]]:
    return [("Secret", secret["name"]) for secret in one.get("secrets", [])]


def _of_external(one: Object) -> list[tuple[str, str]]:
    return [(one["spec"]["secretStoreRef"]["kind"], one["spec"]["secretStoreRef"]["name"])]


def _of_train_job(one: Object) -> list[tuple[str, str]]:
    runtime = one["spec"].get("runtimeRef", {})
    return [(runtime.get("kind", "ClusterTrainingRuntime"), runtime.get("name", "without a name"))]


def _of_graph(one: Object) -> list[tuple[str, str]]:
    """Its account, and the Service that each step's URL names."""
    steps = [step for node in one["spec"]["nodes"].values() for step in node["steps"]]
    hosts = [urlsplit(step["serviceUrl"]).hostname or "" for step in steps if "serviceUrl" in step]
    account = one["spec"].get("serviceAccountName", "default")
    return [("ServiceAccount", account), *(("Service", host.partition(".")[0]) for host in hosts)]


def _of_feature_store(one: Object) -> list[tuple[str, str]]:
    services = one["spec"]["services"]
    kept = (services["onlineStore"]["persistence"], services["registry"]["local"]["persistence"])
    return [("Secret", each["store"]["secretRef"]["name"]) for each in kept]


NAMED_BY: dict[str, Callable[[Object], list[tuple[str, str]]]] = {
    "RoleBinding": _of_binding,
    "InferenceService": _of_service,
    "ServiceAccount": _of_account,
    "ExternalSecret": _of_external,
    "TrainJob": _of_train_job,
    "FeatureStore": _of_feature_store,
    "InferenceGraph": _of_graph,
}


def _of_volume(where: str, volume: dict[str, Any]) -> Iterator[Named]:
    if "persistentVolumeClaim" in volume:
        yield where, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    if "secret" in volume:
        yield where, "Secret", volume["secret"]["secretName"]
    if "configMap" in volume:
        yield where, "ConfigMap", volume["configMap"]["name"]


def _rights(objects: list[Object]) -> Iterator[str]:
    for one in of_kind(objects, "Role", "ClusterRole"):
        for rule in one["rules"]:
            resources, verbs = set(rule.get("resources", [])), set(rule["verbs"])
            if "*" in resources or "*" in rule.get("apiGroups", []) or verbs & FORBIDDEN_VERBS:
                yield f"{label(one)}: a rule for everything: {rule}"
            if resources & BY_NAME and not rule.get("resourceNames"):
                yield f"{label(one)}: {', '.join(sorted(resources & BY_NAME))} without their names"
    for one in of_kind(objects, "ClusterRole", "ClusterRoleBinding"):
        yield f"{label(one)}: rights in the whole cluster; expected a Role"


def _services(objects: list[Object]) -> Iterator[str]:
    budgets = [one["spec"]["selector"]["matchLabels"] for one in of_kind(objects, "PodDisruptionBudget")]
    served = [pod for pod in pods(objects) if "serving.kserve.io/inferenceservice" in pod["metadata"]["labels"]]
    for pod in served:
        if not any(budget.items() <= pod["metadata"]["labels"].items() for budget in budgets):
            yield f"{label(pod)}: no PodDisruptionBudget selects it"
        if not pod["spec"].get("topologySpreadConstraints"):
            yield f"{label(pod)}: its replicas may share one node; expected topologySpreadConstraints"
        if pod["spec"].get("automountServiceAccountToken") is not False:
            yield f"{label(pod)}: mounts a token of the Kubernetes API; a server needs none"
        yield from _probes(pod)


def _probes(pod: Object) -> Iterator[str]:
    for container in pod["spec"].get("containers", []):
        ports = {port["containerPort"] for port in container.get("ports", [])}
        for name in PROBES:
            asked = container.get(name, {}).get("httpGet")
            if not asked or asked["port"] not in ports:
                yield f"{label(pod)}: {name} asks no port of the container"


def _monitors(objects: list[Object]) -> Iterator[str]:
    """Monitors that find nothing to scrape: no labels of anybody, or a port that nobody has."""
    found = {
        "ServiceMonitor": [(one, {port["name"] for port in one["spec"]["ports"]}) for one in of_kind(objects, "Service")
                           if all("name" in port for port in one["spec"]["ports"])],
        "PodMonitor": [(pod, _ports(pod)) for pod in pods(objects)],
    }  # fmt: skip
    for one in of_kind(objects, *found):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        chosen = [ports for each, ports in found[one["kind"]] if wanted <= each["metadata"].get("labels", {}).items()]
        for asked in one["spec"].get("endpoints") or one["spec"]["podMetricsEndpoints"]:
            port = asked.get("port") or asked.get("portNumber")
            if not chosen or not all(port in ports for ports in chosen):
                yield f"{label(one)}: finds nobody with port {port} under {dict(wanted)}"


def _ports(pod: Object) -> set[str | int]:
    ports = [port for container in pod["spec"].get("containers", []) for port in container.get("ports", [])]
    return {value for port in ports for value in (port.get("name"), port["containerPort"]) if value}


def _namespaces(objects: list[Object]) -> Iterator[str]:
    levels = {
        one["metadata"]["name"]: one["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce")
        for one in of_kind(objects, "Namespace")
    }
    for one in objects:
        place = one["metadata"].get("namespace")
        if one["kind"] != "Namespace" and place not in levels:
            yield f"{label(one)}: namespace {place} is not one of this overlay"
    for name, level in levels.items():
        expected = "baseline" if name in BASELINE else "restricted"
        if level != expected:
            yield f"Namespace/{name}: enforces {level}, expected {expected}"
