"""The data of `make demo`, whole, passes every suite: what the tests' slices pass says little of 92,000 products."""

from pathlib import Path

import pytest

from components.ingest.run import ingest
from components.validate.run import validate


@pytest.mark.long
def test_complete_journey_passes(tmp_path: Path) -> None:
    ingest("complete-journey", None, str(tmp_path / "store"), tmp_path / "tables")
    report = validate(tmp_path / "tables", tmp_path / "checked", tmp_path / "docs")
    assert report
    assert (tmp_path / "checked" / "events.parquet").exists()
