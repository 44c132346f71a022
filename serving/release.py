"""A release: one folder, every byte of which its manifest vouches for.

The digest names everything the manifest says: the table of files (SHA-256 and size), the schema version and the
facts. Nothing hashed holds a wall-clock time, so the same inputs give the same digest.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from components.common.config import Config, Effort, Protocol
from components.common.errors import ReleaseError
from components.common.files import write_text
from serving.external_data import points_outside
from serving.signature import MAX_SIGNATURE_BYTES, SIGNATURE_FILE, Trust, signer_of

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.json"
BESIDE = frozenset({MANIFEST_FILE, SIGNATURE_FILE})  # what no manifest can list
SUFFIXES = frozenset({".json", ".npy", ".npz", ".onnx", ".parquet", ".safetensors", ".txt"})
CHANGED_ALONE = frozenset(
    {"fusion.json", "rules.json", "smoke.json", "clicks.json", "audience.json", "campaigns.parquet"}
)  # what may change while members, catalogue and encoders stay
MAX_MANIFEST_BYTES = 4 << 20
MAX_FILE_BYTES = 4 << 30
MAX_RELEASE_BYTES = 16 << 30
MAX_FILES = 4096
MAX_ONNX_BYTES = 2 << 30  # protobuf's own limit
REMEDY = "Publish the release again from its run, or roll back to another one."
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,126}"
_PATH = re.compile(rf"{_PART}(/{_PART}){{0,7}}")


class FileEntry(Config):
    """What the manifest says of one file."""

    sha256: str
    bytes: int


class Facts(Config):
    """What a release says of itself; times are microseconds since the epoch, UTC, null without events."""

    protocol: Protocol
    seed: int
    effort: Effort | None
    as_of: int | None  # the clock of the demo: the shop's last event
    trained_until: int | None  # no member has learned from an event at or after this
    tasks: tuple[str, ...]
    members: tuple[str, ...]
    items: int


class Manifest(Facts):
    """A release's table of files and facts; `release` is the digest of all the rest."""

    schema_version: int
    files: dict[str, FileEntry]
    release: str

    def same_models(self, other: "Manifest | None") -> bool:
        """Are members, catalogue and encoders those of *other*, byte for byte."""
        return other is not None and _models(self) == _models(other)


def write_manifest(folder: Path, facts: Facts) -> Manifest:
    """Hash every file of *folder* and write its manifest, the last step of making a release; it is not signed then.

    Raises:
        ReleaseError: a file that `verify` would refuse.
    """
    for name in BESIDE:
        (folder / name).unlink(missing_ok=True)
    files = {path: _entry(folder, path) for path in sorted(_paths(folder))}
    content = {"schema_version": SCHEMA_VERSION, "files": files, **facts.model_dump(mode="json")}
    write_text(folder / MANIFEST_FILE, _canonical({**content, "release": _digest(content)}))
    return verify(folder)


def verify(folder: Path) -> Manifest:
    """Check every byte of the release in *folder*; nothing of it may be loaded before this returns.

    Raises:
        ReleaseError: a file is changed, cut short, missing, unlisted, linked, too large or of a kind that a release
            may not hold; the manifest is damaged or of another schema; its signature is of something else. Names the
            file, never its content.
    """
    manifest = _read_manifest(folder)
    signer(folder, manifest.release)
    found = set(_paths(folder)) - BESIDE
    for path in sorted(set(manifest.files) - found):
        raise _refused(path, "is missing")
    for path in sorted(found - set(manifest.files)):
        raise _refused(path, "is not in the manifest")
    for path, expected in manifest.files.items():
        if _entry(folder, path, expected.bytes) != expected.model_dump():
            raise _refused(path, "is not the file that was packaged")
    return manifest


def vouched_for(folder: Path, trust: Trust) -> str | None:
    """The digest that a trusted key has signed in *folder*; None where no key is asked for. Files are not looked at.

    Raises:
        ReleaseError: nobody who is trusted has signed it, or its manifest or signature is damaged.
    """
    manifest = _read_manifest(folder)
    return manifest.release if trust.accepts(signer(folder, manifest.release)) else None


def signer(folder: Path, digest: str) -> str | None:
    """The public key, as hexadecimal, that has signed release *digest* in *folder*; None: nobody has.

    Raises:
        ReleaseError: what stands there is no signature of this release.
    """
    if not os.path.lexists(folder / SIGNATURE_FILE):
        return None
    return signer_of(_read(folder, SIGNATURE_FILE, MAX_SIGNATURE_BYTES), digest)


def _read_manifest(folder: Path) -> Manifest:
    raw = _read(folder, MANIFEST_FILE, MAX_MANIFEST_BYTES)
    try:
        content = json.loads(raw)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        version = content.get("schema_version")
        if type(version) is not int or version != SCHEMA_VERSION:
            raise ReleaseError(
                f"release: {MANIFEST_FILE}: schema version {str(version)[:20]!r}, this server reads {SCHEMA_VERSION}. "
                "Package the release with the version of Cuvee that serves it."
            )
        manifest = Manifest(**content)
        canonical = _canonical(content).encode()
    except (ValueError, TypeError, RecursionError, ValidationError) as error:
        raise _refused(MANIFEST_FILE, "cannot be read") from error
    if raw != canonical or manifest.release != _digest({k: v for k, v in content.items() if k != "release"}):
        raise _refused(MANIFEST_FILE, "does not match its own digest")
    return manifest


def _models(manifest: Manifest) -> dict[str, FileEntry]:
    return {path: entry for path, entry in manifest.files.items() if path not in CHANGED_ALONE}


def _paths(folder: Path) -> Iterator[str]:
    """Relative paths of all files below *folder*; links, devices, odd names and empty folders are refused."""
    count = total = 0
    for top, folders, names in os.walk(folder, followlinks=False, onerror=_unreadable):
        for name in folders:
            if (Path(top) / name).is_symlink():
                raise _refused(_relative(folder, top, name), "is a link")
        if not folders and not names:
            raise _refused(_relative(folder, top), "holds no file")
        for name in names:
            path = _relative(folder, top, name)
            count, total = count + 1, total + os.lstat(Path(top) / name).st_size
            if count > MAX_FILES or total > MAX_RELEASE_BYTES:
                raise _refused(path, f"is beyond {MAX_FILES} files or {MAX_RELEASE_BYTES >> 30} GiB")
            if not _PATH.fullmatch(path) or PurePosixPath(path).suffix not in SUFFIXES:
                raise _refused(path, "has a name or a kind that no release holds")
            yield path


def _relative(folder: Path, top: str, name: str = "") -> str:
    return (Path(top) / name).relative_to(folder).as_posix()


def _unreadable(error: OSError) -> None:
    raise ReleaseError(f"release: the folder cannot be read. {REMEDY}") from error


def _entry(folder: Path, path: str, expected_bytes: int | None = None) -> dict[str, Any]:
    """SHA-256 and size of one regular, unlinked file; an ONNX file must hold all its data."""
    with os.fdopen(_open(folder, path, MAX_FILE_BYTES, expected_bytes), "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        size = handle.tell()
        if path.endswith(".onnx"):
            handle.seek(0)
            _check_onnx(path, handle.read(MAX_ONNX_BYTES + 1))
    return {"sha256": digest, "bytes": size}


def _check_onnx(path: str, model: bytes) -> None:
    try:
        outside = len(model) > MAX_ONNX_BYTES or points_outside(model)
    except ValueError as error:
        raise _refused(path, "is not an ONNX model") from error
    if outside:
        raise _refused(path, "keeps data in another file")


def _read(folder: Path, path: str, limit: int) -> bytes:
    with os.fdopen(_open(folder, path, limit), "rb") as handle:
        return handle.read(limit + 1)


def _open(folder: Path, path: str, limit: int, expected_bytes: int | None = None) -> int:
    try:
        handle = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, "is missing or a link") from error
    status = os.fstat(handle)
    problem = _problem(status, limit, expected_bytes)
    if problem:
        os.close(handle)
        raise _refused(path, problem)
    return handle


def _problem(status: os.stat_result, limit: int, expected_bytes: int | None) -> str:
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        return "is a link or not a regular file"
    if status.st_size > limit:
        return f"is larger than {limit >> 20} MiB"
    if expected_bytes is not None and status.st_size != expected_bytes:
        return "is not the file that was packaged"
    return ""


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _refused(path: str, problem: str) -> ReleaseError:
    return ReleaseError(f"release: {ascii(path)[1:-1]} {problem}. {REMEDY}")
