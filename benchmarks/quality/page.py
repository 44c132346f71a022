"""The generated part of docs/benchmarks.md: every figure in it comes from quality.json."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.goals import percents, short
from benchmarks.quality.lists import FUSED, MEMBER, METHOD, NDCG, PEER, RECALL_10
from components.common.files import write_text

START, END = "<!-- generated: quality -->", "<!-- end of generated: quality -->"
TITLE = "# Benchmarks\n\nEvery figure here is written by a command of this repository, with its conditions.\n"
HOLDS = {True: "holds", False: "**does not hold**", None: "not judged"}
NEWCOMERS = ("unknown", "viewed")  # users of whom nothing is known, and after one product viewed
Numbers = dict[str, Any]


def put(path: Path, text: str, markers: tuple[str, str] = (START, END)) -> None:
    """Replace what stands between the *markers* of *path*; both are added at its end where they are not there yet."""
    start, end = markers
    page = path.read_text(encoding="utf-8") if path.exists() else TITLE
    part = f"{start}\n{text.strip()}\n{end}"
    if start in page and end in page:
        before, rest = page.split(start, 1)
        page = before + part + rest.split(end, 1)[1]
    else:
        page = f"{page.rstrip()}\n\n{part}\n"
    write_text(path, page)


def render(quality: Numbers, lines: list[Numbers], plots: Sequence[str]) -> str:
    """The whole part in Markdown.

    Args:
        quality: quality.json.
        lines: the goals, see benchmarks.quality.goals.
        plots: links to the plots, relative to the page.
    """
    parts = ["## Quality", _conditions(quality["conditions"]), _goals(lines)]
    for name, case in sorted(quality["cases"].items()):
        parts += [f"### {name}", _case(case)]
        for task, found in case["tasks"].items():
            parts += [f"#### {name}, {task.replace('_', ' ')}", *_task(found, case["peers"].get(task, {}))]
        parts += [_costs(case), *([_curve(case["curve"])] if case.get("curve") else [])]
    return "\n\n".join([*parts, *(f"![{Path(plot).stem}]({plot})" for plot in plots)])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _conditions(found: Numbers) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    mixed = " **Made with more than one version of the code: run it afresh.**" if len(found["sources"]) > 1 else ""
    return (
        f"`make bench-quality`, effort {found['effort']}, seed {found['seed']}, {found['cores']} cores "
        f"({found['machine']}); {versions}; code {', '.join(found['sources'])}.{mixed} Full ranking over the "
        "whole catalogue. Intervals: 95%, paired, users drawn again with all their windows. The best member and "
        "the best peer are those that did best on these very windows, which flatters them, not the blend."
    )


def _goals(lines: list[Numbers]) -> str:
    rows = [
        (f"{line['case']} {line['task'].replace('_', ' ')}", line["goal"], line["found"], HOLDS[line["holds"]])
        for line in lines
    ]
    return table(("where", "goal", "found", ""), rows)


def _case(case: Numbers) -> str:
    first = case["windows"][0]["dataset"]
    fits = case["windows"][0]["fit_windows"]
    methods = {task: [one["tasks"][task]["chosen"] for one in case["windows"]] for task in case["tasks"]}
    chosen = "; ".join(f"{task.replace('_', ' ')}: {', '.join(names)}" for task, names in methods.items())
    return (
        f"{case['protocol']}, {first['users']:,} users, {first['items']:,} items, {first['events']:,} events; "
        f"{len(case['windows'])} test window(s), weights from {fits} fit window(s). Method that serves, newest window "
        f"first: {chosen}."
    )


def _task(found: Numbers, peers: Numbers) -> list[str]:
    parts = [_ladder(found), _oracle(found), _segments(found["segments"])]
    parts += [_newcomers(kind, found[kind], bool(found.get("unknown"))) for kind in NEWCOMERS if found.get(kind)]
    if found["missing"] and found["missing"]["members"]:
        parts.append(_missing(found["missing"]))
    if found["missing"]:
        parts.append(_families(found["missing"]["families"]))
    return parts + ([_peers(peers)] if peers else [])


def _ladder(found: Numbers) -> str:
    rows = []
    for kind in (FUSED, MEMBER, PEER, METHOD):
        names = [name for name in found["ladder"] if name.split("/")[0] == kind]
        for name in sorted(names, key=lambda one: -(found["ladder"][one][NDCG] or 0.0)):
            rung, gain = found["ladder"][name], found["gains"].get(name)
            spread = "[{:.4f}, {:.4f}]".format(*rung["interval"]) if rung["interval"] else ""
            over = percents(gain["relative"]) if gain else ""
            rows.append(
                (
                    short(name),
                    f"{_number(rung[NDCG])} {spread}",
                    _number(rung[RECALL_10]),
                    _share(rung["coverage@10"]),
                    over,
                )
            )
    return table(("", "NDCG@10", "recall@10", "coverage@10", "fused over it"), rows)


def _oracle(found: Numbers) -> str:
    closed = found["oracle"]["gap_closed"]
    told = "" if closed is None else f"; the blend goes {closed:.0%} of the way there from the best member"
    return f"The best member chosen for each user would reach {_number(found['oracle'][NDCG])}{told}."


def _segments(segments: Numbers) -> str:
    rows = []
    for name, one in segments.items():
        gain, over = one.get("best_member"), one.get("popularity")
        if gain is None:
            continue
        mark = " **worse**" if one["worse"] else ""
        popular = f"{over['theirs']:.4f}" if over else "–"
        difference = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*gain["difference"])
        rows.append(
            (
                name.replace("_", " "),
                f"{one['users']:,}",
                f"{gain['ours']:.4f}",
                f"{gain['theirs']:.4f}",
                popular,
                difference + mark,
            )
        )
    return table(("segment", "users", "fused", "best member", "popularity", "fused − best member"), rows)


def _newcomers(kind: str, found: Numbers, hidden: bool) -> str:
    who = "Users whose history is hidden" if hidden else "Users without history"
    told = (
        f", after one product viewed ({found['users']:,} users; that product is not relevant and "
        "shown by no list; nothing viewed: what the blend shows the same users before):\n\n"
    )
    return who + (told if kind == "viewed" else f" ({found['users']:,} users):\n\n") + _ladder(found)


def _missing(found: Numbers) -> str:
    rows = [
        (
            f"without {name}", _number(one["served"]), one["best_remaining"], _gain(one["over_best_remaining"]),
            _gain(one["over_refit"]), _gain(one["adds"]),
        )
        for name, one in sorted(found["members"].items())
    ]  # fmt: skip
    sample = found["sample"]
    told = (
        f"Members taken away ({sample['users']:,} users, with all of them {_number(sample['fused'])}; "
        f"refitted for {sample['refitted']:,} of the newest window):\n\n"
    )
    head = (
        "",
        "NDCG@10 as served",
        "best left",
        "over the best left",
        "over a refit without it",
        "what the member adds",
    )
    return told + table(head, rows)


def _families(families: Numbers) -> str:
    rows = [(name, _gain(one) if one else "no such member") for name, one in families.items()]
    return table(("family left out and refitted", "against the whole blend"), rows)


def _peers(peers: Numbers) -> str:
    rows = []
    for name, one in sorted(peers.items()):
        if "failed" in one:
            rows.append((name, *[""] * 6, f"left out: {' '.join(str(one['failed']).split())[:160]}"))
            continue
        params = ", ".join(f"{key} {value}" for key, value in (one.get("params") or {}).items())
        rows.append(
            (
                name, str(one.get("version", "")), f"{one.get('parameters', 0):,}", str(one["tuned"]["trials"]),
                f"{one['fit_seconds']:.1f}", f"{one['score_seconds']:.1f}", f"{one['peak_mb']:.0f}", params,
            )
        )  # fmt: skip
    told = (
        "The peers, tuned inside the oldest window's training data, every one with the same budget (newest window):\n\n"
    )
    return told + table(("peer", "version", "parameters", "trials", "fit s", "lists s", "peak MB", "chosen"), rows)


def _costs(case: Numbers) -> str:
    rows = [
        (
            name, one["family"], f"{one['parameters']:,}", f"{one['bytes'] / 1e6:.1f}",
            _seconds(one), _ms(one["ms_256"]), _ms(one["ms_1"]),
        )
        for name, one in sorted(case["costs"].items())
    ]  # fmt: skip
    told = (
        "What a member costs (newest window; seconds hold tuning and every training of it, † those of its whole stage; "
        "milliseconds a user, one thread):\n\n"
    )
    return told + table(("member", "family", "parameters", "MB", "training s", "ms in 256", "ms alone"), rows)


def _seconds(one: Numbers) -> str:
    if one["training_s"] is not None:
        return f"{one['training_s']:.1f}"
    return f"{one['stage_s']:.1f} †" if one["stage_s"] is not None else "–"


def _curve(points: Numbers) -> str:
    rows = [
        (
            f"{float(share):.0%}", f"{one['own']['users']:,}", _number(one["same_users"][FUSED][NDCG]),
            f"{short(one['same_users']['best_member'])} {_number(one['same_users']['best'][NDCG])}",
            _gain(one["same_users"]["gain"]), _gain(one["own"]["gain"]),
        )
        for share, one in points.items()
    ]  # fmt: skip
    users = min(one["own"]["users"] for one in points.values())
    told = (
        f"Learning curve, discovery, effort fast; the events of all other users removed (the same {users:,} users):\n\n"
    )
    head = ("users learned from", "users", "fused", "best member", "fused over it", "over it, all users of the share")
    return told + table(head, rows)


def _gain(one: Numbers | None) -> str:
    return percents(one["relative"]) if one else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
