"""May this release replace what is served? Pure: from what was measured to a verdict with its reasons."""

from collections.abc import Sequence
from typing import Any

from components.common.config import Config
from components.evaluate.bootstrap import FEWEST, Paired

FACTS = "contract checks only"


class Verdict(Config):
    """Passed or refused, and why, in words for people."""

    passed: bool
    reasons: tuple[str, ...]


class Comparison(Config):
    """The candidate against one opponent, on the same users or queries: mean NDCG@10 difference and its interval."""

    over: str
    difference: float
    low: float
    high: float
    judged: bool = True
    note: str = ""

    @classmethod
    def of(cls, over: str, paired: Paired, judged: bool = True, note: str = "") -> "Comparison":
        """From a bootstrap's result; one of fewer than `FEWEST` users or queries is reported, never judged."""
        value, low, high = paired.difference
        if paired.pairs < FEWEST:
            judged, note = False, f"{paired.pairs} to judge by, fewer than {FEWEST}: it may be chance"
        return cls(over=over, difference=value, low=low, high=high, judged=judged, note=note)

    @property
    def worse(self) -> bool:
        """Is the candidate worse beyond doubt: even the upper end of the interval is below zero."""
        return self.high < 0

    def sentence(self) -> str:
        """What was measured, in one line."""
        told = f"NDCG@10 {self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}] against {self.over}"
        if not self.judged:
            return f"{told}: reported, not judged ({self.note})."
        found = "worse beyond doubt" if self.worse else "better" if self.low > 0 else "cannot be told apart"
        return f"{told}: {found}."


def gate(comparisons: Sequence[Comparison], problems: Sequence[str], notes: Sequence[str] = ()) -> Verdict:
    """Refuse a candidate that breaks a contract or is worse beyond doubt than anything it is judged against.

    Args:
        comparisons: with the best member and the champion by the test's users, or with lexical search by judged
            queries; empty where a shop has neither events nor judgements.
        problems: broken contracts (wrong shapes, an answer that is not finite, an empty answer).
        notes: what else the reader should know, e.g. why there is no champion to compare with.
    """
    judged = [one for one in comparisons if one.judged]
    reasons = [f"Contract broken: {problem}." for problem in problems]
    reasons += [one.sentence() for one in comparisons]
    reasons += notes
    if not judged:
        lack = "Too little" if comparisons else "No events and no judgements"
        reasons.append(f"{lack} to judge by: {FACTS}.")
    passed = not problems and not any(one.worse for one in judged)
    return Verdict(passed=passed, reasons=tuple(reasons))


def record(verdict: Verdict, comparisons: list[Comparison]) -> dict[str, Any]:
    """What verdict.json holds."""
    return {**verdict.model_dump(mode="json"), "comparisons": [one.model_dump(mode="json") for one in comparisons]}
