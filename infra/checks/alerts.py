"""Alert rules under promtool: each fires, and keeps silent, where a test beside it says so."""

import subprocess
import tempfile
from pathlib import Path

import yaml

from components.common.errors import CuveeError
from infra.checks.render import INFRA, Object, of_kind
from infra.checks.tools import tool

TESTS = tuple(INFRA / f"{name}_test.yaml" for name in ("monitoring/alerts", "monitoring/weeks", "graph/alerts"))


def problems(objects: list[Object], tests: tuple[Path, ...] = TESTS) -> list[str]:
    """What promtool says against the rules of *objects*; every alert has to be named in *tests*.

    Raises:
        CuveeError: promtool is absent, or there are no rules.
    """
    promtool = tool("promtool", "Install Debian's package `prometheus`, which has it.")
    groups = [group for one in of_kind(objects, "PrometheusRule") for group in one["spec"]["groups"]]
    if not groups:
        raise CuveeError("found no PrometheusRule; expected infra/monitoring/alerts.yaml.")
    told = [path.read_text(encoding="utf-8") for path in tests]
    names = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    tested = "".join(told)
    untested = [f"{name}: no *_test.yaml tests it" for name in names if f"alertname: {name}\n" not in tested]
    if untested:
        return untested
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        files = [f"{place}.yaml" for place in range(len(told))]
        for name, text in zip(files, told, strict=True):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        command = [promtool, "test", "rules", *files]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return [f"promtool: {(done.stdout + done.stderr).strip()}"] if done.returncode else []
