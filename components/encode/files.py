"""Files that a shop's tables name: read whole and within bounds, or passed over with the reason, counted."""

import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from serving.arrays import Floats
from serving.pictures import BadMediaError

log = logging.getLogger(__name__)
MISSING = "no file named"
STEP = 64  # files between two reports of progress
Progress = Callable[[int, int], None]


@dataclass
class Read:
    """(n, ...) float32 of n files, NaN rows where there is none or it could not be used, and how many why."""

    vectors: Floats
    passed_over: Counter[str] = field(default_factory=Counter)


def content_of(path: str, most_bytes: int) -> bytes:
    """The bytes of a plain file.

    Raises:
        BadMediaError: an address, no such file, a link, anything but a file, empty, or larger than *most_bytes*.
    """
    if "://" in path:
        raise BadMediaError("an address: nothing is fetched")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise BadMediaError("missing, or a link") from error
    try:
        return _whole(handle, most_bytes)
    finally:
        os.close(handle)


def _whole(handle: int, most_bytes: int) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise BadMediaError("not a file")
    if status.st_size > most_bytes:
        raise BadMediaError(f"larger than {most_bytes >> 20} MiB")
    with os.fdopen(handle, "rb", closefd=False) as file:
        found = file.read(most_bytes)
    if not found:
        raise BadMediaError("empty")
    return found


def read_all(
    paths: Sequence[str], shape: tuple[int, ...], one: Callable[[str], Floats], progress: Progress | None = None
) -> Read:
    """What *one* makes of each path; a path named twice is read once.

    Args:
        paths: n, '' where there is none.
        shape: of what *one* gives.
        one: raises BadMediaError for a file that cannot be used.
        progress: told (paths done, paths to do).
    """
    found = Read(np.full((len(paths), *shape), np.nan, dtype=np.float32))
    first: dict[str, int] = {}
    reasons: dict[str, str] = {"": MISSING}
    for row, path in enumerate(paths):
        if path in first:
            found.vectors[row] = found.vectors[first[path]]
        elif path not in reasons:
            first[path] = row
            try:
                found.vectors[row] = one(path)
            except BadMediaError as error:
                reasons[path] = str(error)
        if path in reasons:
            found.passed_over[reasons[path]] += 1
        if progress is not None and (row + 1) % STEP == 0:
            progress(row + 1, len(paths))
    return found


def warn(modality: str, passed_over: Counter[str], of: int) -> None:
    """Say how many files could not be used, and why; that an item names none is no fault."""
    bad = {reason: count for reason, count in sorted(passed_over.items()) if reason != MISSING}
    if bad:
        told = ", ".join(f"{count} {reason}" for reason, count in bad.items())
        log.warning("%s: %d of %d items go without: %s", modality, sum(bad.values()), of, told)
