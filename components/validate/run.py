"""Stage `validate`: every table passes its suite, row by row, or the run stops with the first offender."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from components.common.config import ShopConfig
from components.common.errors import CuveeError
from components.common.files import read_json, write_json, write_text
from components.common.prepared import SHOP_FILE
from components.common.stage import progress
from components.common.tables import canonical, read_table
from components.validate.checkpoint import Checks
from components.validate.evidence import Tables, with_evidence
from components.validate.gate import Result, passed, raised, violation
from components.validate.page import page
from components.validate.suites import ORDER, applicable, load_suite

SUMMARY_FILE = "validation.json"


def validate(tables: Path, out: Path, docs: Path, overview: Path | None = None) -> dict[str, Any]:
    """Check all rows of all tables in *tables*; copy them to *out* only if every table passes.

    Args:
        tables: what `ingest` wrote.
        out: the checked tables, with validation.json beside them; not written on failure.
        docs: folder for the Data Docs; written in either case.
        overview: file for the same verdict on one self-contained page; written in either case.

    Returns:
        The summary, as written: {"passed", "error", "tables": {name: {"rows", "passed", "checks"}}}.

    Raises:
        DataError: the most basic breach of the most basic table.
        ConfigError: a suite is malformed or was not evaluated in full.
    """
    shop = ShopConfig(**read_json(tables / SHOP_FILE))
    loaded = _load(tables)
    checks, summary, error = Checks(docs), {}, None
    for done, name in enumerate(loaded, start=1):
        frame = with_evidence(name, loaded, pd.Timestamp.now(tz="UTC"))
        summary[name], breach = _check(checks, name, frame, shop.minimum_rows.get(name, 1))
        error = error or breach
        progress("validate", done, len(loaded))
    checks.write_docs()
    verdict = {"passed": error is None, "error": str(error or ""), "tables": summary}
    if overview is not None:
        write_text(overview, page(verdict))
    if error is not None:
        raise error
    shutil.copytree(tables, out, dirs_exist_ok=True)
    write_json(out / SUMMARY_FILE, verdict)
    return verdict


def _load(folder: Path) -> Tables:
    """The tables that exist, structurally checked once more, the most basic first."""
    paths = {name: folder / f"{name}.parquet" for name in ORDER}
    return {name: canonical(name, read_table(path)) for name, path in paths.items() if path.exists() or name == "items"}


def _check(checks: Checks, name: str, frame: pd.DataFrame, minimum: int) -> tuple[dict[str, Any], CuveeError | None]:
    """Run one table's suite; its entry of the summary, and the error if it did not pass."""
    expectations = applicable(load_suite(name), frame, minimum)
    result = checks.run(name, frame, expectations)
    held = passed(result, len(expectations), len(frame), minimum)
    entry = {"rows": len(frame), "passed": held, "checks": [_line(each) for each in result["results"]]}
    return entry, None if held else violation(name, frame, result)


def _line(result: Result) -> dict[str, Any]:
    """One expectation's outcome as the summary holds it."""
    config = result["expectation_config"]
    return {
        "type": config["type"],
        "column": config["meta"]["subject"],
        "expected": config["meta"]["expected"],
        "held": bool(result["success"]) and not raised(result),
        "unexpected": int(result["result"].get("unexpected_count") or 0),
    }
