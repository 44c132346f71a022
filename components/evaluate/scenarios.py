"""The report's sections on what a shop shows beside recommendations: bundles, campaigns, ads."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.bundles import FUSED, RECALL
from components.evaluate.tables import table
from components.evaluate.words import number, percent

Values = Mapping[str, Any]


def scenarios(metrics: Values) -> list[str]:
    """A section of HTML for every scenario that was judged."""
    judged = metrics.get("scenarios") or {}
    return [_bundle(judged["bundle"])] if judged.get("bundle") else []


def gained(gain: Values, metric: str) -> str:
    """A gain with its interval and what it is over."""
    if gain["ci95"] is None:
        return f"no gain over {gain['over']} can be told"
    low, high = gain["ci95"]
    return f"{percent(gain[metric])} over {gain['over']} (95% interval {percent(low)} to {percent(high)})"


def _bundle(values: Values) -> str:
    new = values["new"]
    names = sorted(values["members"], key=lambda name: -(values["members"][name][RECALL] or 0))
    rows = [[FUSED, number(values[FUSED][RECALL]), number(new[FUSED][RECALL])]]
    rows += [[name, number(values["members"][name][RECALL]), number(new["members"][name][RECALL])] for name in names]
    return (
        f"<h2>Bundles</h2><p>Recall@20 {gained(values['gain'], RECALL)}; of what is new to the user "
        f"{gained(new['gain'], RECALL)}.</p>"
        + table(("", RECALL, f"new: {RECALL}"), rows, FUSED)
        + f'<p class="note">One basket of the test window of each of {values["users"]:,} users: one half is given, the '
        f"other wanted, out of the whole catalogue. New: only items that the user had not met are wanted and shown "
        f"({new['users']:,} users).</p>"
    )
