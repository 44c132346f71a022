"""PromQL held to what the server exports: alerts, dashboard and scaling may ask only for what there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser

from infra.checks.pods import pods
from infra.checks.render import Object, label, of_kind

TARGET = {"job", "namespace", "pod", "service", "endpoint", "instance", "container", "prometheus"}
"""Labels that Prometheus adds when it scrapes by a ServiceMonitor."""
DERIVED = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
    "gauge": ("",),
}
Names = dict[str, set[str]]


def exported() -> Names:
    """Every sample that `python -m serving.server` exports, with its labels; read from the very collectors."""
    import kserve.metrics  # noqa: F401  (registers KServe's own)
    from prometheus_client import REGISTRY

    import serving.metrics  # noqa: F401

    names: Names = {"up": set()}
    for collector in list(REGISTRY._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for family in getattr(collector, "describe", collector.collect)():
            labels |= {name for sample in family.samples for name in sample.labels}
            for ending in DERIVED.get(family.type, ("",)):
                names[family.name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    return names


def recorded(objects: list[Object]) -> Names:
    """What rules record, with the labels that their question keeps."""
    groups = [group for one in of_kind(objects, "PrometheusRule") for group in one["spec"]["groups"]]
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule["record"]: _kept(rule["expr"]) for rule in rules if "record" in rule}


def _kept(question: str) -> set[str]:
    """The labels of the outermost `by (...)`."""
    by = re.search(r"\bby\s*\(([^)]*)\)", question)
    return {name.strip() for name in by[1].split(",")} if by else set()


def questions(objects: list[Object]) -> Iterator[tuple[str, str]]:
    """(where, PromQL) of alerts, dashboards and scaling."""
    for one in of_kind(objects, "PrometheusRule"):
        for rule in (rule for group in one["spec"]["groups"] for rule in group["rules"]):
            yield f"{label(one)} {rule.get('alert') or rule.get('record')}", rule["expr"]
    for one in of_kind(objects, "ConfigMap"):
        if "grafana_dashboard" in one["metadata"].get("labels", {}):
            yield from _of_dashboards(one)
    for one in of_kind(objects, "InferenceService"):
        asked = one["spec"]["predictor"].get("autoScaling", {}).get("metrics", [])
        external = [each["external"]["metric"] for each in asked if "external" in each]
        yield from ((f"{label(one)} autoScaling", metric["query"]) for metric in external if "query" in metric)


def jobs(objects: list[Object]) -> set[str]:
    """What Prometheus writes into `job`: the name of a ServiceMonitor's Service, the label that a PodMonitor names."""
    names = {one["metadata"]["name"] for one in objects if _chosen(one, list(of_kind(objects, "ServiceMonitor")))}
    for monitor in of_kind(objects, "PodMonitor"):
        kept, unnamed = monitor["spec"].get("jobLabel", ""), "{namespace}/{name}".format(**monitor["metadata"])
        labels = [pod["metadata"]["labels"] for pod in pods(objects) if _chosen(pod, [monitor])]
        names |= {each.get(kept, unnamed) for each in labels}
    return names


def _chosen(one: Object, monitors: list[Object]) -> bool:
    labels = one["metadata"].get("labels", {}).items()
    kinds = {"ServiceMonitor": "Service", "PodMonitor": "Pod"}
    fitting = [each for each in monitors if kinds[each["kind"]] == one["kind"]]
    return any(each["spec"]["selector"]["matchLabels"].items() <= labels for each in fitting)


def _of_dashboards(one: Object) -> Iterator[tuple[str, str]]:
    for name, text in one["data"].items():
        for panel in _panels(json.loads(text)):
            for target in panel.get("targets", []):
                yield f"{name} panel {panel['title']!r}", target["expr"]


def _panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard.get("panels", []):
        yield panel
        yield from _panels(panel)


def problems(objects: list[Object], names: Names) -> list[str]:
    """Questions that cannot be read; metrics, labels and jobs that nobody exports or records."""
    said, known, names = [], jobs(objects), names | recorded(objects)
    for where, question in questions(objects):
        try:
            parsed = promql_parser.parse(question.replace("$__rate_interval", "5m"))
        except ValueError as error:
            said.append(f"{where}: {error}")
            continue
        said += [f"{where}: {problem}" for problem in _selectors(parsed, names, known)]
    return said


def _selectors(node: Any, names: Names, known: set[str]) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        if node.name not in names:
            yield f"the server exports no {node.name}"
            return
        for matcher in node.matchers.matchers:
            if matcher.name not in names[node.name] | TARGET:
                yield f"{node.name} has no label {matcher.name}"
        wanted = [matcher for matcher in node.matchers.matchers if matcher.name == "job"]
        if known and not any(all(_fits(matcher, job) for matcher in wanted) for job in known):
            yield f"{node.name} is asked of {', '.join(matcher.value for matcher in wanted)}; jobs: {sorted(known)}"
        return
    for inner in ("expr", "lhs", "rhs", "vector_selector"):
        if hasattr(node, inner):
            yield from _selectors(getattr(node, inner), names, known)
    for argument in getattr(node, "args", None) or []:
        yield from _selectors(argument, names, known)


def _fits(matcher: Any, job: str) -> bool:
    pattern = matcher.value if "Re" in str(matcher.op) else re.escape(matcher.value)
    return (re.fullmatch(pattern, job) is not None) is not str(matcher.op).endswith(("NotRe", "NotEqual"))
