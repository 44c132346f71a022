"""The gate: a validation result counts only if everything was really looked at, and says what is wrong first."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from components.common import columns as c
from components.common.errors import ConfigError, CuveeError, DataError
from components.common.tables import row_text

Result = Mapping[str, Any]
NAMES = (c.ITEM_ID, c.CAMPAIGN_ID, c.QUERY)  # what tells a row apart in a message; a pseudonym would tell nobody


def passed(result: Result, expected: int, rows: int, minimum: int) -> bool:
    """Whether a suite's result lets the table through.

    Great Expectations alone reports success for zero rows and for a suite of which nothing was evaluated.

    Args:
        result: an `ExpectationSuiteValidationResult` as JSON.
        expected: how many expectations should have been evaluated.
        rows: rows of the table.
        minimum: fewer rows do not pass.
    """
    evaluated = int(result["statistics"]["evaluated_expectations"])
    complete = evaluated == expected == len(result["results"]) and expected > 0
    clean = not any(raised(each) for each in result["results"])
    held = all(each["success"] for each in result["results"])
    return bool(result["success"]) and complete and clean and held and rows >= minimum


def raised(result: Result) -> str:
    """The message of the exception inside one expectation's result, '' if there was none."""
    info = result.get("exception_info") or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    return next((str(entry.get("exception_message")) for entry in entries if entry.get("raised_exception")), "")


def violation(table: str, frame: pd.DataFrame, result: Result) -> CuveeError:
    """The error for a result that did not pass: its most basic failed expectation, and that one's first row.

    Args:
        table: the table's name.
        frame: the rows the expectations saw, index 0..n-1.
        result: an `ExpectationSuiteValidationResult` as JSON.
    """
    failed = [each for each in result["results"] if raised(each) or not each["success"]]
    broken = next((raised(each) for each in failed if raised(each)), "")
    if broken or not failed:
        detail = broken or f"statistics {dict(result['statistics'])}"
        return ConfigError(
            f"table '{table}': its suite was not evaluated in full: {detail}. Expected every expectation to be "
            "evaluated without an exception. Restore components/validate/suites and the installed packages."
        )
    worst = min(failed, key=lambda each: int(each["expectation_config"]["meta"]["order"]))
    meta, outcome = worst["expectation_config"]["meta"], worst["result"]
    count = int(outcome.get("unexpected_count") or 0)
    offender = _offender(frame, meta["subject"], outcome)
    return DataError(table, meta["subject"], count, offender, meta["expected"], meta["remedy"])


def _offender(frame: pd.DataFrame, subject: str, outcome: Result) -> str:
    """The first row that breaks the expectation: its number, its value and the ids that tell it apart."""
    positions = outcome.get("partial_unexpected_index_list") or []
    if not positions:
        return f"{outcome.get('observed_value')} rows"
    first = int(positions[0])
    row = frame.iloc[first]
    ids = ", ".join(
        f"{name}={row[name]!r}" for name in NAMES if name in frame and name != subject and pd.notna(row[name])
    )
    value = row[subject]
    shown = value.isoformat() if isinstance(value, pd.Timestamp) else value
    if subject == c.USER_ID and pd.notna(value):
        ids = "its pseudonym; see this row of your own table"
    return row_text(first, shown) + (f" ({ids})" if ids else "")
