"""Releases in an S3 bucket: fetched whole into a folder of this machine, and verified there like any other.

The connection is S3's usual one, from the environment: AWS_ENDPOINT_URL (where it is not Amazon's), AWS_REGION,
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the account of the pod.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.common.errors import ConfigError, ReleaseError
from serving.current import DIGEST
from serving.release import MAX_FILES, MAX_RELEASE_BYTES, verify

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEME = "s3://"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
CONNECT_S, REQUEST_S, TRIES = 5, 60, 3
_ADDRESS = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_.+-]+)*/?")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")


def in_bucket(address: object) -> bool:
    """Is this the address of something in a bucket."""
    return str(address).startswith(SCHEME)


def opened(address: str) -> "tuple[FileSystem, str]":
    """The bucket's file system and the path in it of *address*, s3://bucket/path.

    Raises:
        ConfigError: that is no address in a bucket.
    """
    if not _ADDRESS.fullmatch(address):
        raise ConfigError(f"found {address[:200]!r}, expected the address of a folder in a bucket: s3://bucket/path.")
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    options: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "request_timeout": REQUEST_S,
        "retry_strategy": AwsStandardS3RetryStrategy(max_attempts=TRIES),
    }
    endpoint = next((os.environ[name] for name in ENDPOINT_VARIABLES if os.environ.get(name)), None)
    if endpoint:
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        options |= {"scheme": parts.scheme, "endpoint_override": parts.netloc}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options |= {"region": region or "us-east-1"} if endpoint or region else {}
    return S3FileSystem(**options), address.removeprefix(SCHEME).rstrip("/")


def fetch(address: str, into: Path) -> Path:
    """Copy the release at *address*, s3://bucket/path/<digest>, to the new folder into/<digest> and verify it.

    Raises:
        ConfigError: that is no address in a bucket.
        ReleaseError: the bucket cannot be read, or what it holds is not that release.
    """
    files, source = opened(address)
    digest = source.rpartition("/")[2]
    if not DIGEST.fullmatch(digest):
        raise ConfigError(f"found {address!r}, expected s3://bucket/path/ and a release's digest.")
    with told_plainly(address):
        for name, path in _listed(files, source, address):
            target = into / digest / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.open_input_stream(path) as taken, target.open("xb") as written:
                shutil.copyfileobj(taken, written, 1 << 20)
    if verify(into / digest).release != digest:
        raise ReleaseError(f"{address} holds another release than it is named after. Publish it again.")
    return into / digest


@contextmanager
def at_hand(release: str | None) -> Iterator[Path | None]:
    """The folder of *release*: itself, or for as long as the block lasts a copy of what is in a bucket."""
    if release is None or not in_bucket(release):
        yield None if release is None else Path(release)
        return
    with tempfile.TemporaryDirectory(prefix="cuvee-release-") as folder:
        yield fetch(release, Path(folder))


@contextmanager
def told_plainly(address: str) -> Iterator[None]:
    """Turn what reading or writing a bucket raises into one message.

    Raises:
        ReleaseError: the server does not answer, refuses, or lacks what was asked for.
    """
    try:
        yield
    except OSError as error:
        said = " ".join(str(error).split())[:400]
        raise ReleaseError(
            f"{address}: the object store does not answer as it should: {said}. Look at AWS_ENDPOINT_URL, at the keys "
            "in the environment, and whether the bucket is there."
        ) from error


def _listed(files: "FileSystem", source: str, address: str) -> list[tuple[str, str]]:
    """Name within the release, and path, of every object below *source*; nothing of what is odd is fetched."""
    from pyarrow.fs import FileSelector, FileType

    found = [one for one in files.get_file_info(FileSelector(source, recursive=True)) if one.type == FileType.File]
    names = [one.path.removeprefix(f"{source}/") for one in found]
    odd = next((name for name in names if not _FILE.fullmatch(name)), None)
    if odd is not None:
        raise ReleaseError(f"{address} holds {ascii(odd)[:100]}, which no release does. Publish the release again.")
    if len(found) > MAX_FILES or sum(one.size for one in found) > MAX_RELEASE_BYTES:
        raise ReleaseError(f"{address} is beyond {MAX_FILES} files or {MAX_RELEASE_BYTES >> 30} GiB.")
    return list(zip(names, (one.path for one in found), strict=True))
