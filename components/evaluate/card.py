"""model_card.md: what the release is, how good it is, where it is not."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.gate import Verdict
from components.evaluate.summary import NDCG
from components.evaluate.words import headline, number


def model_card(metrics: Mapping[str, Any], verdict: Verdict) -> str:
    """The card as Markdown."""
    data = metrics["dataset"]
    lines = [
        f"# Model card: release {metrics['release'][:12]}",
        "",
        headline(metrics),
        "",
        f"Gate: **{'passed' if verdict.passed else 'refused'}**.",
        *(f"- {reason}" for reason in verdict.reasons),
        "",
        "## Intended use",
        "Ranking one shop's catalogue for recommendations, search and similar items. Not for prices, credit or any "
        "decision about a person.",
        "",
        "## Data",
        f"{data['users']:,} users (pseudonyms), {data['items']:,} items, {data['events']:,} events. Protocol "
        f"{metrics['protocol']}: members trained on {data['train']:,} events, blends fitted on {data['fit']:,}, "
        f"judged on {data['test']:,} by ranking the whole catalogue.",
        "",
        *_results(metrics),
        *_segments(metrics),
        "## Limits",
        "Offline figures reward what users found without this system; they do not measure what it would change. "
        "Segments with few users have wide intervals. Figures hold for the test window, not for other seasons.",
        "",
    ]
    return "\n".join(lines)


def _results(metrics: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for task, values in (metrics["tasks"] or {}).items():
        lines += [f"## Results: {task}", "| | NDCG@10 | recall@20 | coverage@10 |", "|---|---|---|---|"]
        members = sorted(values["members"].items(), key=lambda pair: -(pair[1][NDCG] or 0))
        for name, one in [(f"**fused** ({values['fused']['method']})", values["fused"]), *members]:
            lines.append(
                f"| {name} | {number(one[NDCG])} | {number(one['recall@20'])} | {number(one['coverage@10'])} |"
            )
        lines.append("")
    if metrics["search"]:
        judged = metrics["search"]["judged"]
        lines += [
            "## Results: search, judged items only",
            f"Fused NDCG@10 {number(judged['fused'][NDCG])}, lexical alone {number(judged['lexical'][NDCG])}.",
            "",
        ]
    return lines


def _segments(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics["segments"]:
        return []
    lines = ["## Segments", "| | users | fused NDCG@10 | best member NDCG@10 |", "|---|---|---|---|"]
    for name, one in metrics["segments"].items():
        ours, theirs = ((one[side] or {}).get(NDCG) for side in ("fused", "best_member"))
        lines.append(f"| {name} | {one['users']:,} | {number(ours)} | {number(theirs)} |")
    return [*lines, ""]
