"""Numbers and findings in words, shared by the report and the model card."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.summary import NDCG


def number(value: float | None) -> str:
    """Four decimals; a dash for what could not be computed."""
    return "–" if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """A signed percentage; a dash for what could not be computed."""
    return "–" if value is None else f"{value:+.1%}"


def headline(metrics: Mapping[str, Any]) -> str:
    """What was found, in one plain sentence."""
    gain = metrics["gain"]
    if gain and gain[NDCG] is not None and gain["ci95"]:
        low, high = gain["ci95"]
        return f"{_finding(low, high)}: {percent(gain[NDCG])} NDCG@10 over {gain['over']}, the best of its members " + (
            f"(95% interval {percent(low)} to {percent(high)})."
        )
    if metrics["search"]:
        judged = metrics["search"]["judged"]
        fused, lexical = judged["fused"][NDCG], judged["lexical"][NDCG]
        change = fused / lexical - 1 if fused is not None and lexical else None
        return f"Search reaches NDCG@10 {number(fused)} on judged queries, {percent(change)} against lexical search."
    return "No test users and no judged queries: only the contract was checked."


def _finding(low: float, high: float) -> str:
    if low > 0:
        return "The blend ranks better than any one model"
    if high < 0:
        return "The blend ranks worse than its best model"
    return "The blend and its best model cannot be told apart"
