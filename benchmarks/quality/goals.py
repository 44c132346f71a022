"""Which of the quality goals hold: every line is computed from the figures, none is typed."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.quality.lists import FUSED, MEMBER, NDCG, PEER, RECALL_10, named
from benchmarks.quality.pooled import LARGE, POPULARITY
from serving.queries import DISCOVERY, NEXT_BASKET

SPORTS, JOURNEY, NEWCOMERS = ("sports", "sports_full"), "journey", "journey_newcomers"
LEAST = {"fast": 0.034, "full": 0.036}  # NDCG@10 on Sports
LEAST_RECALL = 0.062
GAIN, GAIN_LOW = 0.10, 0.05
OVER_IMPLICIT = 0.18
COVERAGE, COVERAGE_SHARE = 0.85, 0.8
BEHIND_REFIT, TIE = 0.02, 0.005
WINDOWS, FIT_WINDOWS = 3, 2
FEW = 100  # users by whom no difference need show
ABLATED = ("deep", "cf", "text")
REPEATERS = ("repurchase", "frequency", "periodic")  # rules of personal repetition, by what their names hold

Numbers = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One goal. found: the figures it was judged by, in words. holds: None = could not be judged here."""

    case: str
    task: str
    goal: str
    found: str
    holds: bool | None


def goals(quality: Numbers) -> list[Numbers]:
    """All lines that apply to the cases of *quality* (quality.json), in a fixed order."""
    lines: list[Line] = []
    for name, case in sorted(quality["cases"].items()):
        for task, found in sorted(case["tasks"].items()):
            lines += _own(name, task, found, case)
            rules = (_gain, _repeats, _large_segments, _coverage, _cold, _newcomers, _absent)
            for rule in (_cold, _newcomers) if name == NEWCOMERS else rules:  # run for those of whom nothing is known
                lines += rule(name, task, found)
    lines += _families(quality["cases"])
    lines.append(_twice(quality.get("check")))
    return [asdict(line) for line in lines]


def _own(name: str, task: str, found: Numbers, case: Numbers) -> Iterator[Line]:
    """The floors of Sports, and how Complete Journey is to be measured."""
    if name in SPORTS and task == DISCOVERY:
        fused, least = found["ladder"][FUSED], LEAST[case["effort"]]
        goal = f"fused NDCG@10 at least {least} at effort {case['effort']}"
        yield Line(name, task, goal, f"{fused[NDCG]:.4f}", fused[NDCG] >= least)
        if case["effort"] == "full":
            held = fused[RECALL_10] >= LEAST_RECALL
            yield Line(name, task, f"recall@10 at least {LEAST_RECALL}", f"{fused[RECALL_10]:.4f}", held)
    if name == JOURNEY:
        fits = min(window["fit_windows"] for window in case["windows"])
        goal = f"at least {WINDOWS} test windows pooled, weights from at least {FIT_WINDOWS} fit windows"
        told = f"{found['windows']} test windows, {fits} fit windows"
        yield Line(name, task, goal, told, found["windows"] >= WINDOWS and fits >= FIT_WINDOWS)


def _gain(name: str, task: str, found: Numbers) -> Iterator[Line]:
    if task != DISCOVERY:
        return
    goal = f"fused at least +{GAIN:.0%} NDCG@10 over the best member, lower bound above +{GAIN_LOW:.0%}"
    yield _over(name, task, goal, found, found["best_member"])
    rival = max((found["best_member"], found["best_peer"]), key=lambda one: found["ladder"][one][NDCG] if one else -1.0)
    goal = f"fused at least +{GAIN:.0%} over the best of all members and tuned peers, lower bound above +{GAIN_LOW:.0%}"
    if found["best_peer"] is None:
        yield Line(name, task, goal, "no peer was run", None)
    else:
        yield _over(name, task, goal, found, rival)


def _over(name: str, task: str, goal: str, found: Numbers, rival: str) -> Line:
    relative = found["gains"][rival]["relative"]
    if relative is None:
        return Line(name, task, goal, f"{short(rival)} scores 0", None)
    return Line(
        name, task, goal, f"{percents(relative)} over {short(rival)}", relative[0] >= GAIN and relative[1] > GAIN_LOW
    )


def _repeats(name: str, task: str, found: Numbers) -> Iterator[Line]:
    if task != NEXT_BASKET:
        return
    rules = [one for one in found["gains"] if any(word in one for word in REPEATERS) and not one.startswith("method")]
    for rival in rules:
        relative = found["gains"][rival]["relative"]
        goal = f"not below {short(rival)} beyond noise"
        yield Line(name, task, goal, percents(relative), None if relative is None else relative[2] >= 0)
    implicit = [one for one in found["gains"] if one.startswith(named(PEER, "implicit"))]
    goal = f"at least +{OVER_IMPLICIT:.0%} over the best implicit peer"
    if not implicit:
        yield Line(name, task, goal, "no implicit peer was run", None)
        return
    rival = max(implicit, key=lambda one: found["ladder"][one][NDCG])
    relative = found["gains"][rival]["relative"]
    held = None if relative is None else relative[0] >= OVER_IMPLICIT
    yield Line(name, task, goal, f"{percents(relative)} over {short(rival)}", held)


def _large_segments(name: str, task: str, found: Numbers) -> Iterator[Line]:
    worse = [segment for segment, one in found["segments"].items() if one["worse"]]
    large = [segment for segment, one in found["segments"].items() if one["users"] > LARGE]
    goal = f"on no segment of more than {LARGE} users worse than the best member beyond noise"
    if not large:
        yield Line(name, task, goal, "no segment is that large", None)
        return
    told = f"worse on {', '.join(worse)}" if worse else f"none of {len(large)} ({', '.join(large)})"
    yield Line(name, task, goal, told, not worse)


def _coverage(name: str, task: str, found: Numbers) -> Iterator[Line]:
    fused = found["ladder"][FUSED]["coverage@10"]
    if name in SPORTS:
        yield Line(name, task, f"coverage@10 at least {COVERAGE}", f"{fused:.3f}", fused >= COVERAGE)
        return
    alone = found["ladder"][found["best_member"]]["coverage@10"]
    goal = f"coverage@10 not {1 - COVERAGE_SHARE:.0%} below the best member's"
    yield Line(name, task, goal, f"{fused:.3f} against {alone:.3f}", fused >= COVERAGE_SHARE * alone)


def _cold(name: str, task: str, found: Numbers) -> Iterator[Line]:
    for segment, words in (("cold", "users without history"), ("new_items", "items nobody had met")):
        yield _beats(name, task, words, found["segments"][segment].get("popularity"))


def _newcomers(name: str, task: str, found: Numbers) -> Iterator[Line]:
    """Users without history, or whose history is hidden; of a case that asks nobody so, nothing."""
    who = "users whose history is hidden" if found.get("unknown") else "users without history"
    for kind, words in (("unknown", who), ("viewed", f"{who} who viewed one product")):
        if found.get(kind) or (kind == "viewed" and name == NEWCOMERS):
            yield _beats(name, task, words, found[kind]["gains"].get(POPULARITY) if found.get(kind) else None)


def _beats(name: str, task: str, words: str, gain: Numbers | None) -> Line:
    goal = f"{words}: fused beats popularity"
    if gain is None:
        return Line(name, task, goal, "none in this data", None)
    told = f"{gain['ours']:.4f} against {gain['theirs']:.4f}, {gain['pairs']} users"
    few = gain["pairs"] < FEW and gain["difference"][1] <= 0
    told, held = (f"{told}: too few to judge", None) if few else (told, gain["difference"][1] > 0)
    return Line(name, task, goal, told, held)


def _absent(name: str, task: str, found: Numbers) -> Iterator[Line]:
    matrix = (found.get("missing") or {}).get("members") or {}
    if not matrix:
        return
    yield _every(
        name, task, f"any one member missing: at least the best remaining member, give or take {TIE:.1%}", matrix,
        "over_best_remaining", lambda relative: relative[0] >= -TIE,
    )  # fmt: skip
    yield _every(
        name, task, f"any one member missing: at most {BEHIND_REFIT:.0%} below a blend refitted without it", matrix,
        "over_refit", lambda relative: relative[0] >= -BEHIND_REFIT,
    )  # fmt: skip


def _every(name: str, task: str, goal: str, matrix: Numbers, which: str, holds: Callable[[list[float]], bool]) -> Line:
    known = {member: one[which]["relative"] for member, one in matrix.items() if one[which] and one[which]["relative"]}
    if not known:
        return Line(name, task, goal, "nothing to compare", None)
    worst = min(known, key=lambda member: known[member][0])
    return Line(name, task, goal, f"worst: without {worst} {percents(known[worst])}", all(map(holds, known.values())))


def _families(cases: Numbers) -> Iterator[Line]:
    for family in ABLATED:
        found = [
            (name, task, task_found["missing"]["families"].get(family))
            for name, case in sorted(cases.items())
            for task, task_found in sorted(case["tasks"].items())
            if task_found.get("missing")
        ]
        known = [(name, task, one["relative"]) for name, task, one in found if one and one["relative"]]
        told = "; ".join(f"{name} {task} {percents(relative)}" for name, task, relative in known)
        goal = f"the blend loses without the family {family}, its interval below zero somewhere"
        held = any(relative[2] < 0 for _, _, relative in known) if known else None
        yield Line("all", "", goal, told or "no such member", held)


def _twice(check: Numbers | None) -> Line:
    goal = "the same command gives the same figures twice"
    if check is None:
        return Line("all", "", goal, "not run: --check", None)
    return Line("all", "", goal, f"{check['figures']} figures, {len(check['differ'])} differ", not check["differ"])


def percents(relative: list[float] | None) -> str:
    """A relative gain with its interval."""
    return "–" if relative is None else f"{relative[0]:+.1%} [{relative[1]:+.1%}, {relative[2]:+.1%}]"


def short(name: str) -> str:
    """A list's name for people: `als`, `peer implicit_als`."""
    kind, _, rest = name.partition("/")
    return rest if kind == MEMBER else f"{kind} {rest}".strip()
