"""The gate can fail: zero rows, nothing evaluated, a malformed suite and an exception inside are each caught."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.common.errors import ConfigError, DataError
from components.validate.checkpoint import Checks
from components.validate.gate import passed, raised, violation
from components.validate.suites import applicable

NOT_NULL = {
    "type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "title"},
    "meta": {"subject": "title", "expected": "a value", "remedy": "Fill it in."},
}
FRAME = pd.DataFrame({"item_id": ["1", "2", "3"], "title": ["a", None, "c"]})


def held(**changes: Any) -> dict[str, Any]:
    """A result as Great Expectations reports it when one expectation held."""
    one = {"success": True, "exception_info": {"raised_exception": False, "exception_message": None}, "result": {}}
    return {"success": True, "statistics": {"evaluated_expectations": 1}, "results": [one], **changes}


def test_a_clean_result_passes() -> None:
    assert passed(held(), expected=1, rows=10, minimum=1)


@pytest.mark.parametrize(
    ("result", "expected", "rows"),
    [
        (held(), 1, 0),
        (held(), 2, 10),
        (held(success=False), 1, 10),
        (held(statistics={"evaluated_expectations": 0}, results=[]), 0, 10),
        (held(results=[]), 1, 10),
        (held(results=[{"success": False, "exception_info": {}, "result": {}}]), 1, 10),
        (
            held(results=[{"success": True, "exception_info": {"raised_exception": True, "exception_message": "x"}}]),
            1,
            10,
        ),
        (held(results=[{"success": True, "exception_info": {"m": {"raised_exception": True}}}]), 1, 10),
    ],
    ids=[
        "no rows",
        "too few evaluated",
        "failed",
        "nothing evaluated",
        "results missing",
        "one failed",
        "raised",
        "metric",
    ],
)
def test_success_alone_does_not_pass(result: dict[str, Any], expected: int, rows: int) -> None:
    assert not passed(result, expected=expected, rows=rows, minimum=1)


def test_great_expectations_lets_zero_rows_through_and_the_gate_does_not(tmp_path: Path) -> None:
    suite = applicable([NOT_NULL], FRAME, minimum=1)
    result = Checks(tmp_path).run("items", FRAME.iloc[:0], suite)
    assert result["success"]
    assert not passed(result, len(suite), rows=0, minimum=1)


def test_a_real_violation_names_the_first_row(tmp_path: Path) -> None:
    suite = applicable([NOT_NULL], FRAME, minimum=1)
    result = Checks(tmp_path).run("items", FRAME, suite)
    assert not passed(result, len(suite), len(FRAME), 1)
    error = violation("items", FRAME, result)
    assert isinstance(error, DataError)
    assert (error.column, error.rows, error.offender) == ("title", 1, "row 2: None (item_id='2')")


def test_an_unknown_expectation_type_stops_the_run(tmp_path: Path) -> None:
    planted = {**NOT_NULL, "type": "expect_column_values_to_be_nice"}
    with pytest.raises(ConfigError, match="malformed at 'expect_column_values_to_be_nice'"):
        Checks(tmp_path).run("items", FRAME, applicable([planted], FRAME, minimum=1))


def test_a_wrong_argument_stops_the_run(tmp_path: Path) -> None:
    planted = {**NOT_NULL, "kwargs": {"column": "title", "colour": "red"}}
    with pytest.raises(ConfigError, match="malformed"):
        Checks(tmp_path).run("items", FRAME, applicable([planted], FRAME, minimum=1))


def test_an_exception_inside_an_expectation_does_not_pass(tmp_path: Path) -> None:
    planted = {**NOT_NULL, "type": "expect_column_values_to_be_between", "kwargs": {"column": "title", "min_value": 1}}
    suite = applicable([planted], FRAME, minimum=1)
    result = Checks(tmp_path).run("items", FRAME, suite)
    assert raised(result["results"][0])
    assert not passed(result, len(suite), len(FRAME), 1)
    error = violation("items", FRAME, result)
    assert isinstance(error, ConfigError)
    assert "not evaluated in full" in str(error)


def test_an_expectation_that_was_dropped_does_not_pass(tmp_path: Path) -> None:
    suite = applicable([NOT_NULL, {**NOT_NULL, "kwargs": {"column": "item_id"}}], FRAME, minimum=1)
    result = Checks(tmp_path).run("items", FRAME.fillna("b"), suite[:1])
    assert result["success"]
    assert not passed(result, len(suite), len(FRAME), 1)
    assert isinstance(violation("items", FRAME, result), ConfigError)
