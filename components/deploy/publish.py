"""Publishing: a release is copied whole, checked, and only then named by `current`.

Killed at any moment, the store holds the old `current` or the new one, and what it names is complete: files are
copied to a hidden folder, signed, flushed to disk, verified there, and renamed; the pointer is replaced in one step.
`served` lists what has been served, so that the way back leads to a release that once answered customers, never to a
candidate that was only tried.
"""

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.errors import ReleaseError
from components.common.files import write_text
from components.deploy.signing import KEY_VARIABLE, Signer
from serving.current import DIGEST, POINTER, RELEASES, SERVED, by_age, current_digest, current_release, served
from serving.pointer import Pointer
from serving.release import MANIFEST_FILE, signer, verify, vouched_for
from serving.signature import SIGNATURE_FILE, Trust

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
    """Copy a release into the store, complete and verified, without serving it; returns its digest.

    It is signed on the way if a key is configured (`components.deploy.signing`); a signature that it brings stays else.

    Raises:
        ReleaseError: the release is damaged.
        ConfigError: the key cannot be read.
    """
    manifest, key = verify(release), Signer.configured()
    releases = store / RELEASES
    releases.mkdir(parents=True, exist_ok=True)
    target, incoming = releases / manifest.release, releases / f"{INCOMING}{manifest.release}"
    with _lock(store):
        _clear(releases)
        if not _intact(target):
            brought = [SIGNATURE_FILE] if (release / SIGNATURE_FILE).exists() else []
            _copy(release, [*manifest.files, MANIFEST_FILE, *brought], incoming, key, target)
            return manifest.release
        if key is not None and signer(target, manifest.release) != key.public_key:
            _sign(target, key, incoming)
        os.utime(target)
    return manifest.release


def promote(store: Path, digest: str, keep: int = KEEP) -> None:
    """Point `current` at a release of the store, then remove all but the *keep* latest served and as many candidates.

    Raises:
        ReleaseError: the store has no such release, it is damaged, or not signed by a key that is trusted here;
            `current` is unchanged then.
    """
    with _lock_of(store, digest):
        listed = _listed(digest, served(store), _now(store))
        _point(store, digest, listed)
        _record(store, listed)
        known = served(store)
        candidates = [name for name in by_age(store) if name not in known]
        for old in [*known[keep:], *candidates[keep:]]:
            _remove(store / RELEASES / old)


def rollback(store: Path, digest: str | None = None) -> str:
    """Serve *digest* again, or the release served before the current one; returns the digest now served.

    `served` stays as it is, so that the next one leads further back, and a digest forward again.

    Raises:
        ReleaseError: there is no such release, it is damaged, or not signed by a key that is trusted here; `current`
            is unchanged then.
    """
    known, current = served(store), _now(store)
    if digest is None:
        earlier = known[known.index(current) + 1 :] if current in known else known
        if not earlier:
            raise ReleaseError(f"{store} holds no release before the current one. Publish one, or name a digest.")
        digest = earlier[0]
    listed = known[known.index(digest) :] if digest in known else _listed(digest, known, current)
    with _lock_of(store, digest):
        _point(store, digest, listed)
        if digest not in known:
            _record(store, listed)
    return digest


def _now(store: Path) -> str | None:
    """What `current` holds; None if nothing, or nothing that can be read: it is about to be replaced."""
    try:
        return current_digest(store)
    except ReleaseError as error:
        log.warning("replacing a damaged pointer: %s", error)
        return None


def _point(store: Path, digest: str, listed: list[str]) -> None:
    """Check a release of the store and point `current` at it, signed where there is a key; *listed*: see `_listed`.

    Raises:
        ReleaseError: the release is damaged, or servers would not follow for want of a signature that is trusted here.
    """
    verify(store / RELEASES / digest)
    key, trust = Signer.configured(), Trust.configured()
    vouched_for(store / RELEASES / digest, trust)
    if trust.keys and (key is None or key.public_key not in trust.keys):
        raise ReleaseError(
            f"{store / POINTER}: servers ask for a signature, and there is no trusted key here to sign with. "
            f"Set {KEY_VARIABLE}."
        )
    before = listed[1] if len(listed) > 1 else ""
    known = trust.keys | ({key.public_key} if key is not None else set())
    number = _next_number(store, known)
    write_text(store / POINTER, f"{digest}\n" if key is None else key.pointer(digest, number, before))
    _flush(store)


def _next_number(store: Path, known: Collection[str]) -> int:
    """Now, in µs, so that it is higher than what was there before, even where somebody has put an older pointer back.

    Of a clock that was set back: one more than the pointer's that is there, if one of the *known* keys has signed it.
    """
    try:
        pointer = Pointer.read(store)
    except ReleaseError:
        pointer = None
    last = pointer.number if pointer is not None and pointer.signer in known else 0
    return max(time.time_ns() // 1000, last + 1)


def _listed(digest: str, known: list[str], before: str | None) -> list[str]:
    """What will have been served, the last first: *digest* after *before*, of those *known*.

    What was served after *before* was left by going back: it is left out, as an undone step is.
    """
    kept = known[known.index(before) :] if before in known else known
    return [digest, *(name for name in kept if name != digest)]


def _record(store: Path, listed: list[str]) -> None:
    write_text(store / SERVED, "".join(f"{name}\n" for name in reversed(listed)))
    _flush(store)


def _copy(release: Path, files: list[str], incoming: Path, key: Signer | None, target: Path) -> None:
    for name in files:
        (incoming / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(release / name, incoming / name)
        _flush(incoming / name)
    if key is not None:
        write_text(incoming / SIGNATURE_FILE, key.signature(target.name))
    for folder in sorted((path for path in incoming.rglob("*") if path.is_dir()), reverse=True):
        _flush(folder)
    _flush(incoming)
    verify(incoming)
    if target.exists():
        _remove(target)  # it was damaged
    os.rename(incoming, target)
    _flush(target.parent)


def _sign(target: Path, key: Signer, incoming: Path) -> None:
    """Put a signature into a release that is there already; whoever reads it meanwhile sees the old or the new one."""
    write_text(incoming / SIGNATURE_FILE, key.signature(target.name))
    os.replace(incoming / SIGNATURE_FILE, target / SIGNATURE_FILE)
    os.rmdir(incoming)
    _flush(target)


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
def _lock_of(store: Path, digest: str) -> Iterator[None]:
    """As `_lock`, for a release that must be there; what killed publishers have left is cleared away."""
    if not DIGEST.fullmatch(digest):
        raise ReleaseError(f"found {digest[:80]!r}, expected a release's digest: 64 hexadecimal characters.")
    if not (store / RELEASES / digest).is_dir():
        raise ReleaseError(f"{store} holds no release {digest}; found {', '.join(by_age(store)) or 'none'}.")
    with _lock(store):
        _clear(store / RELEASES)
        yield


@contextmanager
def _lock(store: Path) -> Iterator[None]:
    """One publisher at a time; the lock dies with its holder. A full or read-only disk becomes one message."""
    try:
        with (store / LOCK_FILE).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ReleaseError(f"{store} cannot be written: {error}. Check its space and permissions.") from error
