"""A wrong field, an open door, a renamed metric: every mutant of the real overlays is caught by the check it breaks."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.checks import metrics, network, pods, references, restricted
from infra.checks.network import FLOWS, Flows
from infra.checks.render import Object
from infra.checks.schemas import Schemas
from pipelines.cluster import Cluster

GONE = object()
Path = tuple[Any, ...]
PREDICTOR = ("spec", "predictor")
CONTAINER = ("spec", "containers", 0)
RULE = ("spec", "groups", 0, "rules", 0)


def place(objects: list[Object], kind: str, name: str) -> Object:
    return next(one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))


def put(one: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        one = one[part]
    if value is GONE:
        del one[path[-1]]
    elif path[-1] == len(one) and isinstance(one, list):
        one.append(value)
    else:
        one[path[-1]] = value


def rename(one: Any, path: Path, name: str) -> None:
    for part in path[:-1]:
        one = one[part]
    one[name] = one.pop(path[-1])


TYPOS = [
    ("InferenceService", "cuvee", (*PREDICTOR, "minReplicas"), "minReplica"),
    ("InferenceService", "cuvee", (*PREDICTOR, "model", "storageUri"), "storageURI"),
    ("InferenceService", "cuvee", ("metadata", "annotations"), "anotations"),
    ("InferenceService", "cuvee", ("spec", "canary", 0, "trafficPercent"), "trafficPercents"),
    ("InferenceService", "cuvee", (*PREDICTOR, "autoScaling", "metrics", 0, "external", "metric", "query"), "querry"),
    ("ServingRuntime", "cuvee", (*CONTAINER, "readinessProbe"), "readinesProbe"),
    ("ServingRuntime", "cuvee", (*CONTAINER, "securityContext", "readOnlyRootFilesystem"), "readOnlyRootFileSystem"),
    ("NetworkPolicy", "predictor", ("spec", "podSelector", "matchLabels"), "matchLabel"),
    ("NetworkPolicy", "predictor", ("spec", "ingress", 0, "from"), "form"),
    ("AuthorizationPolicy", "ask", ("spec", "rules", 0, "from", 0, "source", "requestPrincipals"), "requestPrincipal"),
    ("PodDisruptionBudget", "cuvee", ("spec", "maxUnavailable"), "maxUnavailble"),
    ("ExternalSecret", "cuvee-id-key", ("spec", "data", 0, "remoteRef", "property"), "propety"),
    ("ServiceMonitor", "cuvee", ("spec", "endpoints", 0, "scrapeTimeout"), "scrapeTimeOut"),
    ("PrometheusRule", "cuvee", (*RULE, "annotations"), "annotation"),
    ("PersistentVolumeClaim", "cuvee-store", ("spec", "accessModes"), "accessMode"),
]
WRONG = [
    ("InferenceService", "cuvee", (*PREDICTOR, "minReplicas"), "two"),
    ("InferenceService", "cuvee", ("spec", "canary", 0, "trafficPercent"), 110),
    (
        "InferenceService",
        "cuvee",
        (*PREDICTOR, "autoScaling", "metrics", 0, "external", "metric", "backend"),
        "grafana",
    ),
    ("ServingRuntime", "cuvee", (*CONTAINER, "ports", 0, "containerPort"), "8080"),
    ("ServingRuntime", "cuvee", (*CONTAINER, "securityContext", "capabilities", "drop"), "ALL"),
    ("ServingRuntime", "cuvee", (*CONTAINER, "args"), "--store /mnt/store"),
    ("PersistentVolumeClaim", "cuvee-store", ("spec", "accessModes"), "ReadWriteMany"),
    ("PeerAuthentication", "default", ("spec", "mtls", "mode"), True),
    ("RequestAuthentication", "cuvee", ("spec", "jwtRules", 0, "audiences"), "cuvee"),
    ("ServiceMonitor", "cuvee", ("spec", "endpoints", 0, "interval"), "15 seconds"),
    ("Service", "cuvee-metrics", ("spec", "ports", 0, "port"), "metrics"),
    ("Namespace", "cuvee", ("metadata", "labels", "istio-injection"), True),
    ("NetworkPolicy", "predictor", ("spec", "policyTypes"), "Ingress"),
    ("Role", "cuvee-pipeline", ("rules", 0, "verbs"), None),
    ("InferenceService", "cuvee", ("kind",), "InferenceServices"),
    ("InferenceService", "cuvee", ("apiVersion",), "serving.kserve.io/v1beta2"),
    ("NetworkPolicy", "predictor", ("apiVersion",), "networking.k8s.io/v2"),
]
MISSING = [
    ("ServingRuntime", "cuvee", ("spec", "containers")),
    ("ServingRuntime", "cuvee", (*CONTAINER, "env", 0, "valueFrom", "secretKeyRef", "key")),
    ("ServingRuntime", "cuvee", (*CONTAINER, "livenessProbe", "httpGet", "port")),
    ("InferenceService", "cuvee", (*PREDICTOR, "topologySpreadConstraints", 0, "maxSkew")),
    ("InferenceService", "cuvee", ("spec", "canary", 0, "predictor", "model", "name")),
    ("RoleBinding", "cuvee-pipeline", ("roleRef",)),
    ("Role", "cuvee-pipeline", ("rules", 0, "verbs")),
    ("ExternalSecret", "cuvee-id-key", ("spec", "data", 0, "remoteRef", "key")),
    ("PrometheusRule", "cuvee", (*RULE, "expr")),
    ("NetworkPolicy", "predictor", ("metadata", "name")),
]


@pytest.mark.parametrize(("kind", "name", "path", "typo"), TYPOS)
def test_a_misspelt_field_is_caught(
    schemas: Schemas, fresh: Callable[[str], list[Object]], kind: str, name: str, path: Path, typo: str
) -> None:
    one = place(fresh("canary/standard"), kind, name)
    assert schemas.problems(one) == []
    rename(one, path, typo)
    assert typo in " ".join(schemas.problems(one))


@pytest.mark.parametrize(("kind", "name", "path", "value"), WRONG)
def test_a_wrong_type_or_kind_is_caught(
    schemas: Schemas, fresh: Callable[[str], list[Object]], kind: str, name: str, path: Path, value: Any
) -> None:
    one = place(fresh("canary/standard"), kind, name)
    put(one, path, value)
    assert schemas.problems(one)


@pytest.mark.parametrize(("kind", "name", "path"), MISSING)
def test_a_missing_field_is_caught(
    schemas: Schemas, fresh: Callable[[str], list[Object]], kind: str, name: str, path: Path
) -> None:
    one = place(fresh("canary/standard"), kind, name)
    put(one, path, GONE)
    assert schemas.problems(one)


UNSAFE = [
    ("ServingRuntime", (*CONTAINER, "securityContext", "privileged"), True, "privileged"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "runAsUser"), 0, "root"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "runAsNonRoot"), False, "runAsNonRoot"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "allowPrivilegeEscalation"), GONE, "allowPrivilegeEscalation"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "capabilities", "add"), ["SYS_ADMIN"], "SYS_ADMIN"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "capabilities", "drop"), ["NET_RAW"], "drop ALL"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "seccompProfile", "type"), "Unconfined", "seccomp"),
    ("ServingRuntime", (*CONTAINER, "securityContext", "readOnlyRootFilesystem"), False, "can be written"),
    ("ServingRuntime", (*CONTAINER, "resources", "limits"), GONE, "limit of memory"),
    ("ServingRuntime", (*CONTAINER, "resources", "requests", "cpu"), "one", "quantity"),
    ("ServingRuntime", (*CONTAINER, "image"), "ghcr.io/cuvee/serving-python:latest", "pinned"),
    ("ServingRuntime", (*CONTAINER, "ports", 0, "hostPort"), 80, "port of the host"),
    ("ServingRuntime", (*CONTAINER, "env", 0), {"name": "CUVEE_ID_KEY", "value": "abc"}, "shows its value"),
    ("ServingRuntime", ("spec", "volumes", 0), {"name": "scratch", "hostPath": {"path": "/"}}, "hostPath"),
    ("InferenceService", (*PREDICTOR, "hostNetwork"), True, "hostNetwork"),
    ("InferenceService", (*PREDICTOR, "hostPID"), True, "hostPID"),
    ("InferenceService", (*PREDICTOR, "model", "securityContext"), {"privileged": True}, "privileged"),
    ("InferenceService", ("spec", "canary", 0, "predictor", "hostIPC"), True, "hostIPC"),
]


@pytest.mark.parametrize(("kind", "path", "value", "said"), UNSAFE)
def test_an_unsafe_pod_is_caught(
    fresh: Callable[[str], list[Object]], kind: str, path: Path, value: Any, said: str
) -> None:
    objects = fresh("canary/standard")
    assert [problem for pod in pods.pods(objects) for problem in restricted.problems(pod)] == []
    put(place(objects, kind, "cuvee"), path, value)
    found = [problem for pod in pods.pods(objects) for problem in restricted.problems(pod)]
    assert any(said in problem for problem in found)


ANYBODY: list[Any] = [{}]
OPENED = [
    ("predictor", ("spec", "ingress"), ANYBODY, "foreign -> predictor TCP/8080: possible"),
    ("predictor", ("spec", "ingress", 0, "from"), GONE, "foreign -> predictor TCP/8080: possible"),
    ("predictor", ("spec", "ingress", 0, "from", 0, "namespaceSelector"), {}, "false-gateway -> predictor"),
    ("predictor", ("spec", "ingress", 1, "from", 0, "podSelector"), GONE, "grafana -> predictor TCP/8080: possible"),
    ("predictor", ("spec", "ingress", 0, "ports"), GONE, "gateway -> predictor TCP/22: possible"),
    ("default-deny", ("spec", "policyTypes"), ["Ingress"], "no policy denies"),
    ("default-deny", ("spec", "egress"), ANYBODY, "predictor -> cloud-metadata TCP/80: possible"),
    ("dns", ("spec", "egress", 0, "to"), GONE, "kube-proxy TCP/53: possible"),
    ("dns", ("spec", "egress", 0, "to", 0, "podSelector", "matchLabels", "k8s-app"), "kubedns", "UDP/53: blocked"),
    ("object-store", ("spec", "egress", 0, "to", 0, "ipBlock", "except"), GONE, "predictor -> cloud-metadata TCP/443"),
    ("object-store", ("spec", "podSelector"), {}, "worker -> public TCP/443: possible"),
    ("training", ("spec", "ingress", 0, "from", 0, "namespaceSelector"), {}, "foreign-worker -> worker"),
    ("training", ("spec", "egress"), [], "worker -> other-worker TCP/29500: blocked"),
    ("pipeline-steps", ("spec", "egress", 2, "to", 0, "podSelector"), GONE, "step -> mysql TCP/8333: possible"),
]


@pytest.mark.parametrize(("name", "path", "value", "said"), OPENED)
def test_an_opened_or_blocked_connection_is_caught(
    fresh: Callable[[str], list[Object]], name: str, path: Path, value: Any, said: str
) -> None:
    objects, flows = fresh("overlays/prod"), Flows.from_yaml(FLOWS)
    assert network.problems(objects, flows, "prod") == []
    put(place(objects, "NetworkPolicy", name), path, value)
    found = network.problems(objects, flows, "prod")
    assert any(said in problem for problem in found), found


def test_a_policy_that_is_gone_is_caught(fresh: Callable[[str], list[Object]]) -> None:
    flows = Flows.from_yaml(FLOWS)
    for name in ("default-deny", "dns", "predictor", "pipeline-steps", "training", "mesh", "object-store"):
        objects = [one for one in fresh("overlays/prod") if one["metadata"]["name"] != name]
        assert network.problems(objects, flows, "prod"), name


def alert(objects: list[Object], expression: str) -> None:
    put(place(objects, "PrometheusRule", "cuvee"), (*RULE, "expr"), expression)


def on_dashboard(objects: list[Object], expression: str) -> None:
    board = place(objects, "ConfigMap", "cuvee-dashboard")
    told = json.loads(board["data"]["dashboard.json"])
    told["panels"][0]["targets"][0]["expr"] = expression
    board["data"]["dashboard.json"] = json.dumps(told)


def scaling(objects: list[Object], expression: str) -> None:
    path = (*PREDICTOR, "autoScaling", "metrics", 0, "external", "metric", "query")
    put(place(objects, "InferenceService", "cuvee"), path, expression)


@pytest.mark.parametrize("ask", [alert, on_dashboard, scaling])
@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(cuvee_http_request_total[5m]) > 0", "exports no cuvee_http_request_total"),
        ("sum(rate(cuvee_http_requests[5m]))", "exports no cuvee_http_requests"),
        ('cuvee_release_info{digest="a"}', "no label digest"),
        ("sum(rate(cuvee_answers_total[5m]) / on () cuvee_answer_total", "expected"),
        ("histogram_quantile(0.9, rate(cuvee_http_request_seconds_buckets[5m]))", "exports no"),
    ],
)
def test_a_metric_that_nobody_exports_is_caught(
    fresh: Callable[[str], list[Object]],
    names: metrics.Names,
    ask: Callable[[list[Object], str], None],
    expression: str,
    said: str,
) -> None:
    objects = fresh("overlays/prod")
    assert metrics.problems(objects, names) == []
    ask(objects, expression)
    found = metrics.problems(objects, names)
    assert len(found) >= 1
    assert said in found[0] or said == "expected"


@pytest.mark.parametrize(
    "metric",
    ["cuvee_http_requests_total", "cuvee_http_request_seconds_bucket", "cuvee_answers_without_total",
     "cuvee_release_info", "cuvee_online_features_written_seconds", "cuvee_questions_total", "cuvee_events_total"],
)  # fmt: skip
def test_a_metric_renamed_in_the_server_is_caught(
    overlays: dict[str, list[Object]], names: metrics.Names, metric: str
) -> None:
    left = {name: labels for name, labels in names.items() if name != metric}
    assert any(f"exports no {metric}" in problem for problem in metrics.problems(overlays["overlays/prod"], left))


RECORDED = ("cuvee:clicks:seen6h", "cuvee:questions:share1d")


@pytest.mark.parametrize("name", RECORDED)
def test_a_figure_that_no_rule_records_any_more_is_caught(
    fresh: Callable[[str], list[Object]], names: metrics.Names, name: str
) -> None:
    objects = fresh("overlays/prod")
    groups = place(objects, "PrometheusRule", "cuvee")["spec"]["groups"]
    next(rule for group in groups for rule in group["rules"] if rule.get("record") == name)["record"] += "_"
    assert any(f"exports no {name}" in problem for problem in metrics.problems(objects, names))
    alert(objects, 'cuvee:questions:share7d{scenario="search"}')
    assert any("no label scenario" in problem for problem in metrics.problems(objects, names))


JOBS = [
    ("PrometheusRule", "cuvee", (*RULE, "expr"), 'cuvee_release_info{job="cuvee-metric"} == 1'),
    ("PrometheusRule", "cuvee-graph", (*RULE, "expr"), 'absent(cuvee_release_info{job="cuvee-step"} == 1)'),
    ("PrometheusRule", "cuvee-graph", (*RULE, "expr"), 'up{job=~"cuvee-.+", job!~"cuvee-.*"} == 0'),
    ("PodMonitor", "cuvee-graph", ("spec", "jobLabel"), "app.kubernetes.io/name"),
    ("ServiceMonitor", "cuvee", ("spec", "selector", "matchLabels"), {"app": "x"}),
]


@pytest.mark.parametrize(("kind", "name", "path", "value"), JOBS)
def test_a_job_that_nobody_is_scraped_as_is_caught(
    fresh: Callable[[str], list[Object]], names: metrics.Names, kind: str, name: str, path: Path, value: Any
) -> None:
    objects = fresh("graph")
    assert metrics.problems(objects, names) == []
    put(place(objects, kind, name), path, value)
    assert any("jobs: [" in problem for problem in metrics.problems(objects, names))


UNNAMED = [
    ("InferenceService", "cuvee", (*PREDICTOR, "model", "runtime"), "cuve", "ServingRuntime cuve is nowhere"),
    ("InferenceService", "cuvee", (*PREDICTOR, "serviceAccountName"), "default", "ServiceAccount default is nowhere"),
    ("InferenceService", "cuvee", (*PREDICTOR, "topologySpreadConstraints"), GONE, "may share one node"),
    ("InferenceService", "cuvee", (*PREDICTOR, "automountServiceAccountToken"), True, "mounts a token"),
    ("ServingRuntime", "cuvee", ("spec", "volumes", 1, "persistentVolumeClaim", "claimName"), "stor", "is nowhere"),
    ("ServingRuntime", "cuvee", (*CONTAINER, "readinessProbe", "httpGet", "port"), 8081, "readinessProbe asks no port"),
    ("ServingRuntime", "cuvee", (*CONTAINER, "startupProbe"), GONE, "startupProbe asks no port"),
    ("PodDisruptionBudget", "cuvee", ("spec", "selector", "matchLabels"), {"app": "x"}, "no PodDisruptionBudget"),
    ("Role", "cuvee-pipeline", ("rules", 0, "resources"), ["*"], "a rule for everything"),
    ("Role", "cuvee-pipeline", ("rules", 0, "verbs"), ["impersonate"], "a rule for everything"),
    ("Role", "cuvee-pipeline", ("rules", 2, "resourceNames"), GONE, "secrets without their names"),
    ("Role", "cuvee-pipeline", ("kind",), "ClusterRole", "rights in the whole cluster"),
    ("RoleBinding", "cuvee-pipeline", ("subjects", 0, "name"), "default", "ServiceAccount default is nowhere"),
    ("ServiceAccount", "cuvee-serving", ("metadata", "namespace"), "cuve", "namespace cuve is not one"),
    (
        "Namespace",
        "cuvee",
        ("metadata", "labels", "pod-security.kubernetes.io/enforce"),
        "baseline",
        "expected restricted",
    ),
]


@pytest.mark.parametrize(("kind", "name", "path", "value", "said"), UNNAMED)
def test_a_name_without_an_object_and_a_right_too_many_are_caught(
    fresh: Callable[[str], list[Object]], kind: str, name: str, path: Path, value: Any, said: str
) -> None:
    objects = fresh("overlays/prod")
    assert references.problems(objects) == []
    put(place(objects, kind, name), path, value)
    found = references.problems(objects)
    assert any(said in problem for problem in found), found


FIGURES = [
    ("overlays/prod", "ServiceMonitor", "cuvee", ("spec", "selector", "matchLabels"), {"app": "x"}, "finds nobody"),
    ("overlays/prod", "ServiceMonitor", "cuvee", ("spec", "endpoints", 0, "port"), "metric", "with port metric"),
    ("graph", "PodMonitor", "cuvee-graph", ("spec", "selector", "matchLabels"), {"cuvee.dev/graf": "cuvee"}, "nobody"),
    ("graph", "PodMonitor", "cuvee-graph", ("spec", "podMetricsEndpoints", 0, "portNumber"), 8081, "with port 8081"),
    (
        "scale",
        "ExternalSecret",
        "cuvee-features",
        ("spec", "target", "name"),
        "other",
        "Secret cuvee-features is nowhere",
    ),
]


@pytest.mark.parametrize(("overlay", "kind", "name", "path", "value", "said"), FIGURES)
def test_a_monitor_that_finds_nobody_and_a_secret_that_nobody_makes_are_caught(
    fresh: Callable[[str], list[Object]], overlay: str, kind: str, name: str, path: Path, value: Any, said: str
) -> None:
    objects = fresh(overlay)
    assert references.problems(objects) == []
    put(place(objects, kind, name), path, value)
    found = references.problems(objects)
    assert any(said in problem for problem in found), found


TO_SERVERS = [
    (
        "scale",
        "feature-servers-steps",
        ("spec", "egress", 0, "to", 0, "podSelector"),
        GONE,
        "step -> postgres TCP/6379: possible",
    ),
    ("scale", "feature-servers-steps", ("spec", "egress", 0, "to", 0, "namespaceSelector"), {}, "false-redis"),
    ("scale", "feature-servers-steps", ("spec", "podSelector"), {}, "stray -> redis TCP/6379: possible"),
    ("scale", "feature-servers-predictor", ("spec", "egress", 1), GONE, "predictor -> postgres TCP/5432: blocked"),
    (
        "scale",
        "model-registry-steps",
        ("spec", "egress", 0, "ports"),
        GONE,
        "step -> model-registry TCP/3306: possible",
    ),
    ("scale", "model-registry-predictor", ("spec", "egress"), [], "predictor -> model-registry TCP/8080: blocked"),
    ("graph", "graph-figures", ("spec", "ingress", 0, "from", 0, "namespaceSelector"), {}, "false-prometheus"),
    ("graph", "graph-figures", ("spec", "ingress"), [], "prometheus -> graph-part TCP/8080: blocked"),
]


@pytest.mark.parametrize(("overlay", "name", "path", "value", "said"), TO_SERVERS)
def test_a_way_to_the_servers_or_the_figures_that_is_opened_or_blocked_is_caught(
    fresh: Callable[[str], list[Object]], overlay: str, name: str, path: Path, value: Any, said: str
) -> None:
    objects, flows = fresh(overlay), Flows.from_yaml(FLOWS)
    assert network.problems(objects, flows, overlay) == []
    put(place(objects, "NetworkPolicy", name), path, value)
    found = network.problems(objects, flows, overlay)
    assert any(said in problem for problem in found), found


def test_every_secret_that_steps_are_given_is_made_from_the_vault(fresh: Callable[[str], list[Object]]) -> None:
    made = {
        one["spec"]["target"]["name"]: {each["secretKey"] for each in one["spec"]["data"]}
        for one in fresh("scale")
        if one["kind"] == "ExternalSecret" and one["metadata"]["namespace"] == "cuvee"
    }
    given = Cluster()
    assert made[given.key_secret] == {"key"}
    assert made[given.features_secret] == {"redis", "registry"}
    assert made[given.releases_secret] == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


NODE = ("spec", "template", "spec", "replicatedJobs", 0, "template", "spec", "template", "spec")
RAY, SUBMITTER = ("spec", "rayClusterSpec"), ("spec", "submitterPodTemplate", "spec", "containers", 0)
SCORER = (*RAY, "workerGroupSpecs", 0, "template", "spec", "containers", 0)
BEYOND = [
    ("TrainJob", ("spec", "trainer", "numNodes"), "two"),
    ("TrainJob", ("spec", "trainer", "numNode"), 2),
    ("TrainJob", ("spec", "runtimeRef"), GONE),
    ("TrainJob", ("spec", "runtimeRef", "name"), "torch"),
    ("TrainingRuntime", (*NODE, "container"), []),
    ("TrainingRuntime", (*NODE, "containers", 0, "securityContext", "privileged"), True),
    ("TrainingRuntime", (*NODE, "hostNetwork"), True),
    ("TrainingRuntime", (*NODE, "volumes", 1, "persistentVolumeClaim", "claimName"), "other"),
    ("FeatureStore", ("spec", "services", "onlineStore", "persistence", "store", "type"), "rediss"),
    ("FeatureStore", ("spec", "services", "onlineStore", "persistence", "store", "secretRef", "name"), "other"),
    ("FeatureStore", ("spec", "feastProject"), GONE),
    ("FeatureStore", ("spec", "services", "onlinestore"), {}),
    ("RayJob", ("spec", "shutdownAfterJobFinishes"), "yes"),
    ("RayJob", (*RAY, "authOptions", "mode"), "tokens"),
    ("RayJob", (*RAY, "workerGroupSpec"), []),
    ("RayJob", (*RAY, "workerGroupSpecs", 0, "minReplicas"), GONE),
    ("RayJob", (*RAY, "workerGroupSpecs", 0, "replicas"), "two"),
    (
        "RayJob",
        (*RAY, "headGroupSpec", "template", "spec", "volumes", 1, "persistentVolumeClaim", "claimName"),
        "other",
    ),
    ("RayJob", (*SCORER, "securityContext", "privileged"), True),
    ("RayJob", (*SUBMITTER, "securityContext", "readOnlyRootFilesystem"), False),
]


@pytest.mark.parametrize(("kind", "path", "value"), BEYOND)
def test_what_goes_past_one_machine_is_held_to_the_same(
    schemas: Schemas, fresh: Callable[[str], list[Object]], kind: str, path: Path, value: Any
) -> None:
    def found(objects: list[Object]) -> list[str]:
        said = [problem for one in objects if one["kind"] == kind for problem in schemas.problems(one)]
        said += [problem for pod in pods.pods(objects) for problem in restricted.problems(pod)]
        return [*said, *pods.unseen(objects), *references.problems(objects)]

    objects = fresh("scale")
    assert found(objects) == []
    put(next(one for one in objects if one["kind"] == kind), path, value)
    assert found(objects)


STEPS = ("spec", "nodes", "members", "steps")
OF_THE_GRAPH = [
    ("InferenceGraph", "cuvee-graph", ("spec", "nodes", "root", "routerType"), "Sequenz"),
    ("InferenceGraph", "cuvee-graph", (*STEPS, 0, "dependency"), "Must"),
    ("InferenceGraph", "cuvee-graph", (*STEPS, 0, "serviceUri"), "http://x"),
    ("InferenceGraph", "cuvee-graph", (*STEPS, 2, "serviceUrl"), "http://cuvee-step-http.cuvee.svc/v1"),
    ("InferenceGraph", "cuvee-graph", ("spec", "serviceAccountName"), "default"),
    ("InferenceService", "cuvee-cf", (*PREDICTOR, "model", "runtime"), "cuvee-parts"),
    ("InferenceService", "cuvee-deep", (*PREDICTOR, "hostNetwork"), True),
    ("ServingRuntime", "cuvee-steps", (*CONTAINER, "securityContext", "privileged"), True),
    ("PodDisruptionBudget", "cuvee-parts", ("spec", "selector", "matchLabels"), {"app": "x"}),
]


@pytest.mark.parametrize(("kind", "name", "path", "value"), OF_THE_GRAPH)
def test_the_graph_is_held_to_the_same(
    schemas: Schemas, fresh: Callable[[str], list[Object]], kind: str, name: str, path: Path, value: Any
) -> None:
    def found(objects: list[Object]) -> list[str]:
        said = schemas.problems(place(objects, kind, name))
        said += [problem for pod in pods.pods(objects) for problem in restricted.problems(pod)]
        return [*said, *pods.unseen(objects), *references.problems(objects)]

    objects = fresh("graph")
    assert found(objects) == []
    put(place(objects, kind, name), path, value)
    assert found(objects)


def test_a_part_keeps_the_arguments_of_its_runtime(fresh: Callable[[str], list[Object]]) -> None:
    args = {pod["metadata"]["name"]: pod["spec"]["containers"][0].get("args") for pod in pods.pods(fresh("graph"))}
    assert args["cuvee-cf-predictor"] == [
        "part", "--release=/mnt/models", "--host=0.0.0.0", "--port=8080", "--part", "cf"
    ]  # fmt: skip


def test_all_services_of_the_graph_hold_the_release_of_production(fresh: Callable[[str], list[Object]]) -> None:
    services = [one for one in fresh("graph") if one["kind"] == "InferenceService"]
    assert len(services) == 7
    assert {release_of(one) for one in services} == {"s3://cuvee-releases/" + "0" * 64}


def release_of(service: Object) -> str:
    uri: str = service["spec"]["predictor"]["model"]["storageUri"]
    return uri


def test_containers_where_nobody_looks_are_caught(fresh: Callable[[str], list[Object]]) -> None:
    objects = fresh("overlays/prod")
    assert pods.unseen(objects) == []
    spec = {"templates": [{"initContainers": [{"name": "a", "image": "b:1"}]}]}
    flow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}
    lonely = place(fresh("overlays/prod"), "ServingRuntime", "cuvee")
    lonely["metadata"]["name"] = "other"
    assert len(pods.unseen([*objects, flow, lonely])) == 2


def test_there_are_forty_of_them_and_more() -> None:
    assert len(TYPOS) + len(WRONG) + len(MISSING) + len(UNSAFE) + len(OPENED) + len(UNNAMED) >= 40
