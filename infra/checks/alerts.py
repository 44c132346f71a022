"""Alert rules under promtool: each fires, and keeps silent, where infra/monitoring/alerts_test.yaml says so."""

import subprocess
import tempfile
from pathlib import Path

import yaml

from components.common.errors import CuveeError
from infra.checks.render import INFRA, Object, of_kind
from infra.checks.tools import tool

TESTS = INFRA / "monitoring" / "alerts_test.yaml"


def problems(objects: list[Object], tests: Path = TESTS) -> list[str]:
    """What promtool says against the rules of *objects*; every alert has to be named in *tests*.

    Raises:
        CuveeError: promtool is absent, or there are no rules.
    """
    promtool = tool("promtool", "Install Debian's package `prometheus`, which has it.")
    groups = [group for one in of_kind(objects, "PrometheusRule") for group in one["spec"]["groups"]]
    if not groups:
        raise CuveeError("found no PrometheusRule; expected infra/monitoring/alerts.yaml.")
    told = tests.read_text(encoding="utf-8")
    names = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    untested = [f"{name}: {tests.name} does not test it" for name in names if f"alertname: {name}\n" not in told]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        (Path(folder) / tests.name).write_text(told, encoding="utf-8")
        command = [promtool, "test", "rules", tests.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return untested + ([f"promtool: {(done.stdout + done.stderr).strip()}"] if done.returncode else [])
