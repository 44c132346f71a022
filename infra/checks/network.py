"""NetworkPolicies evaluated as Kubernetes does, over the connections that must and must not be possible."""

import ipaddress
from typing import Any

from pydantic import Field

from components.common.config import Config
from infra.checks.render import INFRA, Object, label, of_kind

FLOWS = INFRA / "security" / "flows.yaml"
Part = dict[str, Any]
INGRESS, EGRESS = "Ingress", "Egress"
POD_ADDRESS = "10.244.0.9"  # any pod's: whoever opens this range opens every pod
EVERYWHERE = "everywhere"


class End(Config):
    """One end of a connection: a pod by its namespace and labels, or an address outside."""

    namespace: str = Field(default="", description="empty: not a pod")
    labels: dict[str, str] = Field(default={}, description="the pod's")
    address: str = Field(default=POD_ADDRESS, description="what an ipBlock sees")


class Flows(Config):
    """Who may reach whom: [from, to, protocol/port], for every overlay and for single ones."""

    ends: dict[str, End] = Field(description="by name")
    allowed: dict[str, list[tuple[str, str, str]]] = Field(description="by overlay; `everywhere`: in all")
    denied: dict[str, list[tuple[str, str, str]]] = Field(description="likewise")


def problems(objects: list[Object], flows: Flows, overlay: str) -> list[str]:
    """Connections that go otherwise than *flows* says in the overlay of that name, and namespaces left open."""
    policies = list(of_kind(objects, "NetworkPolicy"))
    said = []
    for table, expected in ((flows.allowed, True), (flows.denied, False)):
        for one in (*table.get(EVERYWHERE, []), *table.get(overlay, [])):
            source, target, port = one
            if passes(policies, flows.ends[source], flows.ends[target], port) is not expected:
                said.append(f"{source} -> {target} {port}: {'blocked' if expected else 'possible'}")
    return said + _undefended(objects, policies)


def passes(policies: list[Object], source: End, target: End, port: str) -> bool:
    """Whether a connection can be made: the source's policies let it out, and the target's let it in."""
    return _one_way(policies, source, target, port, EGRESS) and _one_way(policies, target, source, port, INGRESS)


def _one_way(policies: list[Object], own: End, peer: End, port: str, way: str) -> bool:
    concerned = [one for one in policies if _selects(one, own) and way in _ways(one["spec"])]
    return not concerned or any(
        _rule_allows(one, rule, peer, port, way) for one in concerned for rule in _rules(one, way)
    )


def _ways(spec: Part) -> list[str]:
    return list(spec.get("policyTypes") or [INGRESS, *([EGRESS] if "egress" in spec else [])])


def _rules(policy: Object, way: str) -> list[Part]:
    return policy["spec"].get(way.lower()) or []


def _selects(policy: Object, end: End) -> bool:
    return policy["metadata"]["namespace"] == end.namespace and _matches(policy["spec"]["podSelector"], end.labels)


def _rule_allows(policy: Object, rule: Part, peer: End, port: str, way: str) -> bool:
    peers = rule.get("from" if way == INGRESS else "to")
    known = not peers or any(_is_peer(one, peer, policy["metadata"]["namespace"]) for one in peers)
    return known and (not rule.get("ports") or any(_is_port(one, port) for one in rule["ports"]))


def _is_peer(one: Part, peer: End, own_namespace: str) -> bool:
    if "ipBlock" in one:
        address = ipaddress.ip_address(peer.address)
        barred = any(address in ipaddress.ip_network(part) for part in one["ipBlock"].get("except", []))
        return address in ipaddress.ip_network(one["ipBlock"]["cidr"]) and not barred
    if not peer.namespace:
        return False
    if "namespaceSelector" in one:
        here = _matches(one["namespaceSelector"], {"kubernetes.io/metadata.name": peer.namespace})
    else:
        here = peer.namespace == own_namespace
    return here and _matches(one.get("podSelector", {}), peer.labels)


def _is_port(one: Part, port: str) -> bool:
    protocol, _, number = port.partition("/")
    if one.get("protocol", "TCP") != protocol:
        return False
    first: int | None = one.get("port")
    return first is None or first <= int(number) <= one.get("endPort", first)


def _matches(selector: Part, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(_holds(one, labels) for one in selector.get("matchExpressions", []))


def _holds(expression: Part, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


def _undefended(objects: list[Object], policies: list[Object]) -> list[str]:
    closed = {
        one["metadata"]["namespace"]
        for one in policies
        if one["spec"]["podSelector"] == {} and set(_ways(one["spec"])) == {INGRESS, EGRESS}
        and not _rules(one, INGRESS) and not _rules(one, EGRESS)
    }  # fmt: skip
    return [
        f"{label(one)}: no policy denies what no other allows"
        for one in of_kind(objects, "Namespace")
        if one["metadata"]["name"] not in closed
    ]
