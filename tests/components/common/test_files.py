"""What is written is whole or not there."""

import hashlib
import os
from pathlib import Path

import pytest

from components.common.files import read_json, sha256, write_json, write_text


def test_json_is_sorted_readable_and_comes_back(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"b": [1, None], "a": "茶"})
    assert (tmp_path / "new" / "a.json").read_text(encoding="utf-8") == (
        '{\n  "a": "茶",\n  "b": [\n    1,\n    null\n  ]\n}\n'
    )
    assert read_json(tmp_path / "new" / "a.json") == {"a": "茶", "b": [1, None]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_is_no_json_leaves_the_old_file(value: object, tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", {"x": value})
    assert read_json(tmp_path / "a.json") == 1


def test_a_write_that_is_cut_short_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "current"
    write_text(path, "old")

    def full(_descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_nothing_temporary_is_left(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_text(tmp_path / "a", text)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
