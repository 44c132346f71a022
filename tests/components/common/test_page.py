"""Pages of Markdown, from what steps write."""

from pathlib import Path

import numpy as np

from components.common.files import write_json
from components.common.page import counts_page, members_page, page, table


def test_a_table_by_hand() -> None:
    told = table(("what", "n"), [("a|b\nc", 12345), ("d", 0.123456)])
    assert told == "| what | n |\n| --- | ---: |\n| a\\|b c | 12,345 |\n| d | 0.1235 |"
    assert table(("what", "n"), []) == ""
    assert page("Title", "", told, "end") == f"# Title\n\n{told}\n\nend\n"


def test_counts_and_what_was_corrected() -> None:
    left_out = {"correction": "empty", "table": "events", "rows_in": 10, "rows_out": 7, "why": "nothing in it"}
    changed = {"correction": "space", "table": "items", "rows_in": 5, "changed": 2, "why": "no difference"}
    told = counts_page("Shop", {"users": 3}, [left_out, changed])
    assert "| users | 3 |" in told
    assert "| empty | events | 3 | nothing in it |" in told
    assert "| space | items | 2 | no difference |" in told
    assert "correction" not in counts_page("Shop", {"users": 3}, [])


def test_members_of_every_training_with_their_numbers(tmp_path: Path) -> None:
    for training in ("final", "fit_1"):
        write_json(tmp_path / training / "als" / "member.json", {"kind": "als", "config": {"reg": 0.1, "seed": 3}})
        np.save(tmp_path / training / "als" / "items.npy", np.zeros(250_000 - 16, np.float32))
    write_json(tmp_path / "final" / "trend" / "member.json", {"kind": "trend", "half_life": 7.0})
    told = members_page("Members", tmp_path)
    assert "| member | final, MB | fit_1, MB | numbers |" in told
    assert "| als | 1 | 1 | config.reg 0.1, config.seed 3 |" in told
    assert "| trend |" in told
    assert "| – | half_life 7.0 |" in told
    (tmp_path / "nothing").mkdir()
    assert "nothing to learn from" in members_page("Members", tmp_path / "nothing")
