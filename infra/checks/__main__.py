"""`make check-infra`: every check over every overlay; what a missing tool leaves unchecked is said, and fails in CI."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from components.common.errors import CuveeError
from infra.checks import alerts, metrics, network, pods, references, restricted, scan
from infra.checks.network import FLOWS, Flows
from infra.checks.render import INFRA, Object, label, of_kind, overlays, render
from infra.checks.schemas import Schemas

log = logging.getLogger("check-infra")
CRDS, REQUIRE = "CUVEE_CRDS", "CUVEE_REQUIRE_ALL"
Rendered = dict[str, list[Object]]


def rendered() -> Rendered:
    """Every overlay's objects, by its path below infra/."""
    return {str(folder.relative_to(INFRA)): render(folder) for folder in overlays()}


def each(objects: Rendered, check: Callable[[list[Object], str], list[str]]) -> list[str]:
    """Problems of every overlay, each said once."""
    said = [f"{name}: {problem}" for name, found in objects.items() for problem in check(found, Path(name).name)]
    return list(dict.fromkeys(said))


def checks(objects: Rendered) -> dict[str, Callable[[], list[str]]]:
    """What is checked, by the name that the report gives it."""
    all_pods = {str(pod): pod for found in objects.values() for pod in pods.pods(found)}
    rules = list({label(one): one for found in objects.values() for one in of_kind(found, "PrometheusRule")}.values())
    return {
        "fields and kinds, by real schemas": lambda: _schemas(objects, list(all_pods.values())),
        "every container seen": lambda: each(objects, lambda found, _: pods.unseen(found)),
        "restricted pods": lambda: [said for pod in all_pods.values() for said in restricted.problems(pod)],
        "names, rights, budgets, probes": lambda: each(objects, lambda found, _: references.problems(found)),
        "connections": lambda: _connections(objects),
        "metrics asked for": lambda: _metrics(objects),
        "alerts, by promtool": lambda: alerts.problems(rules),
        "pods, by checkov": lambda: scan.problems(list(all_pods.values())),
    }


def _schemas(objects: Rendered, all_pods: list[Object]) -> list[str]:
    folder = os.environ.get(CRDS)
    if not folder:
        raise CuveeError(f"{CRDS} is not set: it names the folder with the CRDs of KServe, Istio and the others.")
    schemas = Schemas(Path(folder))
    said = [problem for pod in all_pods for problem in schemas.problems(pod)]
    return said + each(objects, lambda found, _: [problem for one in found for problem in schemas.problems(one)])


def _connections(objects: Rendered) -> list[str]:
    flows = Flows.from_yaml(FLOWS)
    return each(objects, lambda found, name: network.problems(found, flows, name))


def _metrics(objects: Rendered) -> list[str]:
    names = metrics.exported()
    return each(objects, lambda found, _: metrics.problems(found, names))


def main() -> int:
    """Run all; 0 where nothing was found, and nothing skipped that has to run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        objects = rendered()
    except CuveeError as error:
        log.error("%s", error)
        return 1
    log.info("%d overlays, %d objects", len(objects), sum(map(len, objects.values())))
    return max([_said(name, check) for name, check in checks(objects).items()])


def _said(name: str, check: Callable[[], list[str]]) -> int:
    try:
        found = check()
    except CuveeError as error:
        required = bool(os.environ.get(REQUIRE))
        log.info("%-36s %s: %s", name, "FAILED" if required else "skipped", error)
        return int(required)
    log.info("%-36s %s", name, f"{len(found)} problems" if found else "ok")
    for problem in found:
        log.info("  %s", problem)
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
