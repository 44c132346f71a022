"""Publishing: a release is copied whole, checked, and only then named by `current`.

Killed at any moment, the store holds the old `current` or the new one, and what it names is complete: files are
copied to a hidden folder, flushed to disk, verified there, and renamed; the pointer is replaced in one step.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.errors import ReleaseError
from components.common.files import write_text
from serving.current import DIGEST, POINTER, RELEASES, current_digest, current_release
from serving.release import MANIFEST_FILE, verify

log = logging.getLogger(__name__)

KEEP = 5
LOCK_FILE = ".publish.lock"
INCOMING, OUTGOING = ".incoming-", ".outgoing-"


def champion(store: Path) -> Path | None:
    """The folder of the release that is served now; None where nothing has been published.

    Raises:
        ReleaseError: `current` is not a digest.
    """
    return current_release(store)


def publish(release: Path, store: Path, keep: int = KEEP) -> str:
    """Add *release* to the store and make it the one that is served; the last *keep* releases stay.

    Returns:
        The release's digest.

    Raises:
        ReleaseError: the release is damaged; nothing has changed then.
    """
    digest = add(release, store)
    promote(store, digest, keep)
    return digest


def add(release: Path, store: Path) -> str:
    """Copy a release into the store, complete and verified, without serving it; returns its digest."""
    manifest = verify(release)
    releases = store / RELEASES
    releases.mkdir(parents=True, exist_ok=True)
    target = releases / manifest.release
    with _lock(store):
        _clear(releases)
        if _intact(target):
            os.utime(target)
        else:
            _copy(release, [*manifest.files, MANIFEST_FILE], releases / f"{INCOMING}{manifest.release}", target)
    return manifest.release


def promote(store: Path, digest: str, keep: int = KEEP) -> None:
    """Point `current` at a release of the store, then remove all but the *keep* latest.

    Raises:
        ReleaseError: the store has no such release, or it is damaged; `current` is unchanged then.
    """
    if not DIGEST.fullmatch(digest):
        raise ReleaseError(f"found {digest[:80]!r}, expected a release's digest: 64 hexadecimal characters.")
    if not (store / RELEASES / digest).is_dir():
        raise ReleaseError(f"{store} holds no release {digest}; found {', '.join(history(store)) or 'none'}.")
    with _lock(store):
        _clear(store / RELEASES)
        verify(store / RELEASES / digest)
        write_text(store / POINTER, digest + "\n")
        _flush(store)
        for old in history(store)[keep:]:
            if old != digest:
                _remove(store / RELEASES / old)


def rollback(store: Path, digest: str | None = None) -> str:
    """Serve *digest* again, or the release published before the current one; returns the digest now served.

    Raises:
        ReleaseError: there is no such release, or it is damaged; `current` is unchanged then.
    """
    if digest is None:
        known, current = history(store), current_digest(store)
        earlier = known[known.index(current) + 1 :] if current in known else known
        if not earlier:
            raise ReleaseError(f"{store} holds no release before the current one. Publish one, or name a digest.")
        digest = earlier[0]
    promote(store, digest, keep=max(KEEP, len(history(store))))
    return digest


def history(store: Path) -> list[str]:
    """Digests of the store's releases, last published first."""
    releases = store / RELEASES
    found = [path for path in releases.iterdir() if DIGEST.fullmatch(path.name)] if releases.exists() else []
    return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)]


def _copy(release: Path, files: list[str], incoming: Path, target: Path) -> None:
    for name in files:
        (incoming / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(release / name, incoming / name)
        _flush(incoming / name)
    for folder in sorted((path for path in incoming.rglob("*") if path.is_dir()), reverse=True):
        _flush(folder)
    _flush(incoming)
    verify(incoming)
    if target.exists():
        _remove(target)  # it was damaged
    os.rename(incoming, target)
    _flush(target.parent)


def _intact(target: Path) -> bool:
    if not target.exists():
        return False
    try:
        return verify(target).release == target.name
    except ReleaseError as error:
        log.warning("replacing a damaged copy of release %s: %s", target.name, error)
        return False


def _remove(target: Path) -> None:
    """Take a release away under a name that nobody looks for, then delete it."""
    hidden = target.with_name(f"{OUTGOING}{target.name}")
    os.rename(target, hidden)
    shutil.rmtree(hidden)


def _clear(releases: Path) -> None:
    """Remove what publishers left that were killed; the lock says that none is at work."""
    for path in releases.iterdir():
        if path.name.startswith((INCOMING, OUTGOING)):
            shutil.rmtree(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _lock(store: Path) -> Iterator[None]:
    """One publisher at a time; the lock dies with its holder. A full or read-only disk becomes one message."""
    try:
        with (store / LOCK_FILE).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ReleaseError(f"{store} cannot be written: {error}. Check its space and permissions.") from error
