"""docs/capabilities.md names every row once, in a known state, with places and proofs that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [f"C{n:02}" for n in range(1, 48)] + [f"D{n:02}" for n in range(1, 13)] + [f"A{n:02}" for n in range(1, 17)]
ROWS += [f"R{n:02}" for n in range(1, 20)] + [f"H{n}" for n in range(1, 12)]
TABLE = [
    [cell.strip() for cell in line.strip("| \n").split("|")]
    for line in (ROOT / "docs" / "capabilities.md").read_text().splitlines()
    if re.match(r"\| [CDARH]\d", line)
]


def test_every_row_stands_once() -> None:
    assert sorted(row[0] for row in TABLE) == sorted(ROWS)


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_states_are_known_and_what_works_has_a_proof_that_exists(row: list[str]) -> None:
    _, _, where, proof, state = row
    assert state in ("works", "not yet") or state.startswith("partial: ")
    if state == "works":
        assert where
        assert proof
    named = re.findall(r"\b(?:tests|benchmarks|components|serving|pipelines|docs)/[\w/.]+", f"{where} {proof}")
    missing = [path for path in named if not (ROOT / path.rstrip(".")).exists()]
    assert not missing, f"{row[0]} names what is not there"
