import logging
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from media_files import put

from components.encode.files import MISSING, content_of, read_all, warn
from serving.pictures import BadMediaError


def test_a_plain_file_is_read_whole(tmp_path: Path) -> None:
    path = put(tmp_path, {"a": b"content"})["a"]
    assert content_of(path, 7) == b"content"
    with pytest.raises(BadMediaError, match="larger"):
        content_of(path, 6)


@pytest.mark.parametrize("name", ["link", "folder", "pipe", "gone", "empty", "http://shop.example/1.jpg", "zero\0byte"])
def test_what_is_no_plain_file_is_refused_at_once(name: str, tmp_path: Path) -> None:
    target = put(tmp_path, {"target": b"content", "empty": b""})["target"]
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # opened as usual it would wait for a writer
    with pytest.raises(BadMediaError):
        content_of(name if "://" in name else str(tmp_path / name), 100)


def test_bad_files_are_counted_and_leave_a_row_of_nan(tmp_path: Path) -> None:
    read: list[str] = []

    def one(path: str) -> np.ndarray:
        read.append(path)
        if path == "bad":
            raise BadMediaError("damaged")
        return np.array([1.0, 2.0], np.float32)

    found = read_all(["a", "", "bad", "a", "bad"], (2,), one)
    assert read == ["a", "bad"]  # a path named twice is read once
    assert np.isnan(found.vectors).all(axis=1).tolist() == [False, True, True, False, True]
    assert found.passed_over == Counter({MISSING: 1, "damaged": 2})


def test_the_warning_counts_what_is_at_fault(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn("image", Counter({MISSING: 3}), 9)
        assert not caplog.records
        warn("image", Counter({MISSING: 3, "damaged": 2, "a link": 1}), 9)
    assert caplog.messages == ["image: 3 of 9 items go without: 1 a link, 2 damaged"]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    read_all([""] * 130, (1,), lambda _: np.zeros(1, np.float32), lambda done, to_do: told.append((done, to_do)))
    assert told == [(64, 130), (128, 130)]
