"""report.html: one page, no links, readable on a phone; first what it means, then the numbers behind it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from components.common.stage import PROGRESS_FILE
from components.evaluate import charts
from components.evaluate.gate import Verdict
from components.evaluate.judge import FUSED, Outcome
from components.evaluate.scenarios import scenarios
from components.evaluate.summary import NDCG
from components.evaluate.tables import table
from components.evaluate.words import headline, number, percent

SHOWN = ("ndcg@10", "recall@10", "recall@20", "hit@10", "precision@10", "map@10", "mrr@10", "auc", "coverage@10")
BESIDE = (*SHOWN, "diversity@10", "novelty@10")
TASK = {"discovery": "Discovery: items new to the user", "next_basket": "Next basket: repeats allowed"}
CSS = """
:root{color-scheme:light dark;--line:#8a94a655;--soft:#8a94a618;--good:#2e7d4f;--bad:#c2410c}
@media (prefers-color-scheme:dark){:root{--good:#6cc596;--bad:#f2915c}}
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.lead{font-size:1.1rem}.note{opacity:.75;font-size:.9rem}.good{color:var(--good)}.bad{color:var(--bad)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.3rem .5rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}tr.loud{font-weight:600;background:var(--soft)}
svg{width:100%;height:auto;max-width:40rem;display:block}code{word-break:break-all}
"""


@dataclass(frozen=True)
class Story:
    """What the report tells. fitted: fit_report.json, {} without; outcome: the main task's, None without events."""

    metrics: dict[str, Any]
    verdict: Verdict
    fitted: dict[str, Any]
    outcome: Outcome | None


def render(story: Story) -> str:
    """The whole page."""
    metrics = story.metrics
    title = f"Cuvee evaluation {metrics['release'][:12]}"
    parts = [_head(story)]
    for task, values in (metrics["tasks"] or {}).items():
        parts.append(_task(task, values))
    parts += [_cost(metrics), _segments(metrics), _channels(story), _known(metrics), *scenarios(metrics)]
    parts += [_weights(story), _run(metrics)]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{CSS}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _head(story: Story) -> str:
    word, style = ("Passed the gate", "good") if story.verdict.passed else ("Refused by the gate", "bad")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in story.verdict.reasons)
    return (
        f"<h1>{escape(headline(story.metrics))}</h1>"
        f'<p class="lead {style}"><strong>{word}</strong></p><ul>{reasons}</ul>'
    )


def _task(task: str, values: Mapping[str, Any]) -> str:
    fused, gain = values["fused"], values["gain"]
    members = sorted(values["members"].items(), key=lambda pair: -(pair[1][NDCG] or 0))
    chosen = f"{fused['method']} (serves)"
    rows = [("fused", fused), *members]
    shown = {chosen: fused[NDCG]} | {name: one[NDCG] for name, one in members}
    chart = charts.bars(shown, f"NDCG@10, {task}", [chosen], gain["over"])
    return (
        f"<h2>{escape(TASK.get(task, task))}</h2>"
        f'<p class="note">What serves behind recall as served; every member over the whole catalogue. '
        f"Orange: what serves. Blue: the best member.</p>{chart}"
        + table(("", *SHOWN), [[name, *(number(one[metric]) for metric in SHOWN)] for name, one in rows], "fused")
        + _ladder(task, values, chosen)
    )


def _ladder(task: str, values: Mapping[str, Any], chosen: str) -> str:
    """Every blend beside the best member, over the users for whom all of them were ranked."""
    ladder, over, serves = values["ladder"], values["gain"]["over"], values["fused"]["method"]
    methods = sorted(values["methods"].items(), key=lambda pair: -(pair[1][NDCG] or 0))
    named = [(chosen if name == serves else name, one, ladder["gains"][name]) for name, one in methods]
    best = ladder["best_member"][NDCG]
    chart = charts.bars({**{name: one[NDCG] for name, one, _ in named}, over: best}, f"NDCG@10, {task}", [chosen], over)
    rows = [[name, _gained(gain), *(number(one[metric]) for metric in SHOWN)] for name, one, gain in named]
    rows.append([over, "", number(best)])
    return (
        f"<details><summary>All blends, for {ladder['users']:,} users</summary>"
        f'<p class="note">Drawn by the run\'s seed where there are more; {escape(over)} is measured on the same users. '
        "Gain: relative, NDCG@10, with its 95% interval. Coverage grows with the number of users.</p>"
        + chart + table(("", "gain", *SHOWN), rows, chosen) + "</details>"
    )  # fmt: skip


def _gained(gain: Mapping[str, Any]) -> str:
    if gain["ci95"] is None:
        return percent(None)
    low, high = gain["ci95"]
    return f"{percent(gain[NDCG])} ({percent(low)} to {percent(high)})"


def _cost(metrics: Mapping[str, Any]) -> str:
    """Gain and loss side by side: fused against the best member by every kind of metric."""
    if not metrics["fused"]:
        return ""
    best = metrics["gain"]["over"]
    rows = []
    for metric in BESIDE:
        ours, theirs = metrics["fused"].get(metric), metrics["members"][best].get(metric)
        change = ours / theirs - 1 if ours is not None and theirs else None
        style = "" if change is None or abs(change) < 0.0005 else "good" if change > 0 else "bad"
        rows.append([metric, number(ours), number(theirs), f'<span class="{style}">{percent(change)}</span>'])
    lost = [row[0] for row in rows if 'class="bad"' in row[3]]
    told = f"What it costs: lower {', '.join(lost)}." if lost else "Nothing measured here got worse."
    return (
        f"<h2>Gain and loss against {escape(best)}</h2><p>{escape(told)}</p>"
        + table(("", "fused", best, "change"), rows, markup=True)
        + '<p class="note">Higher novelty means rarer items, not better ones. AUC is that of the users for whom all '
        "blends are ranked; in that of a blend, items that no channel recalled count as ties. The oracle, the best "
        f"member chosen for each user afterwards, reaches NDCG@10 {number((metrics['oracle'] or {}).get(NDCG))}.</p>"
    )


def _segments(metrics: Mapping[str, Any]) -> str:
    if not metrics["segments"]:
        return ""
    rows = []
    for name, values in metrics["segments"].items():
        ours, theirs = ((values[side] or {}).get(NDCG) for side in ("fused", "best_member"))
        change = ours / theirs - 1 if ours is not None and theirs else None
        rows.append([name.replace("_", " "), f"{values['users']:,}", number(ours), number(theirs), percent(change)])
    return (
        "<h2>Segments</h2>"
        + table(("", "users", "fused NDCG@10", f"{metrics['gain']['over']} NDCG@10", "change"), rows)
        + '<p class="note">Cold: no history. Light: up to 5 distinct items. Heavy: the top quarter. New items: only '
        "items nobody had met before the test count. A dash: nobody to ask, or nothing to compare with.</p>"
    )


def _channels(story: Story) -> str:
    if story.outcome is None:
        return ""
    users = len(story.outcome.pooled)
    lines = {name: line / users for name, line in story.outcome.curves.items()}
    rows = sorted(story.metrics["channels"].items(), key=lambda pair: -pair[1]["recall@100"])
    pooled = [["all channels together", number(float(story.outcome.pooled.mean()))]]
    return (
        "<h2>Recall by channel</h2><p>Share of what users came to want among the first items of each channel; "
        "no blend can show what no channel recalled.</p>"
        + charts.curves(lines, "recall", FUSED)
        + table(("channel", "recall@100"), pooled + [[name, number(one["recall@100"])] for name, one in rows])
    )


def _known(metrics: Mapping[str, Any]) -> str:
    """Search by judgements and relations by known pairs, where they were given."""
    rows = []
    if metrics["search"]:
        judged = metrics["search"]["judged"]
        rows += [
            [f"search, judged items: {side}, NDCG@10", number(judged[side][NDCG])] for side in ("fused", "lexical")
        ]
    for kind, one in (metrics["relations"] or {}).items():
        rows.append([f"known {kind}s, recall@20", number(one["recall@20"])])
    return "<h2>Against known answers</h2>" + table(("", "value"), rows) if rows else ""


def _weights(story: Story) -> str:
    parts = []
    for task, report in story.fitted.get("tasks", {}).items():
        learned = report.get("weights", {})
        learned = learned.get(report.get("chosen"), learned)
        strength = {name: _strength(row) for name, row in learned.items() if isinstance(row, dict | int | float)}
        if any(strength.values()):
            parts.append(charts.weights(strength, f"weight of each member, {task}: {report['chosen']}"))
    note = '<p class="note">The sum of a member\'s learned weights over its calibrated features.</p>'
    return "<h2>What the blends learned</h2>" + note + "".join(parts) if parts else ""


def _strength(row: Mapping[str, float] | float) -> float:
    return float(sum(row.values())) if isinstance(row, Mapping) else float(row)


def _run(metrics: Mapping[str, Any]) -> str:
    data = metrics["dataset"]
    rows = [[name, f"{data[name]:,}"] for name in ("users", "items", "events", "train", "fit", "test")]
    facts = (
        f"Protocol {metrics['protocol']}, seed {metrics['seed']}, effort {metrics['effort'] or 'not recorded'}, "
        f"as of {metrics['as_of'] or 'each user’s own time'}."
    )
    stages = stage_times()
    timed = "<h2>Time and memory by stage</h2>" + table(("stage", "seconds", "peak MB"), stages) if stages else ""
    return (
        f"<h2>The data</h2><p>{escape(facts)}</p>{table(('', 'rows'), rows)}"
        f"{timed}<p class='note'>Release <code>{escape(metrics['release'])}</code></p>"
    )


def stage_times() -> list[list[str]]:
    """Seconds and peak memory of the stages that this run has finished; empty outside a local run."""
    path = Path(os.environ.get(PROGRESS_FILE, ""))
    if not path.is_file():
        return []
    facts = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    ended = [fact for fact in facts if fact.get("kind") == "end"]
    return [[str(fact["stage"]), f"{fact['seconds']:.1f}", f"{fact['rss_mb']:.0f}"] for fact in ended]
