"""What Kubeflow's UI shows of the fusion: for every task the blends that were tried, on the fit windows."""

from pathlib import Path
from typing import Any

from components.common.files import read_json
from components.common.page import page, table
from components.fuse.run import REPORT_FILE

NDCG = "ndcg@10"


def fusion_page(fusion: Path) -> str:
    """A page of the folder that `fuse` wrote."""
    tasks: dict[str, Any] = read_json(fusion / REPORT_FILE)["tasks"]
    return page("Blends", *(_task(name, told) for name, told in tasks.items()))


def _task(name: str, told: dict[str, Any]) -> str:
    methods = sorted(told.get("methods", {}).items(), key=lambda one: -one[1][NDCG]) if _judged(told) else []
    rows = [(method, values[NDCG], values.get("standard_error", "–")) for method, values in methods]
    why = told.get("why") or f"judged on {told.get('lists', 'no')} lists of the fit windows"
    return f"## {name}: {told['chosen']}\n\n{why}.\n\n{table(('blend', NDCG, 'standard error'), rows)}".rstrip()


def _judged(told: dict[str, Any]) -> bool:
    return all(NDCG in values for values in told.get("methods", {}).values())
