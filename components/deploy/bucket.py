"""Publishing to an S3 bucket as well, for KServe and other machines: `CUVEE_RELEASES=s3://bucket/path`."""

import os
import shutil
from pathlib import Path

from components.common.errors import ConfigError
from serving.bucket import in_bucket, opened, told_plainly
from serving.release import MANIFEST_FILE

RELEASES_VARIABLE = "CUVEE_RELEASES"


def releases_address() -> str | None:
    """Where releases are published besides the store, from `CUVEE_RELEASES`; None: nowhere.

    Raises:
        ConfigError: it is no address in a bucket.
    """
    address = os.environ.get(RELEASES_VARIABLE, "").rstrip("/")
    if address and not in_bucket(address):
        raise ConfigError(f"{RELEASES_VARIABLE}: found {address[:200]!r}, expected s3://bucket/path.")
    return address or None


def upload(release: Path, releases: str) -> str:
    """Copy the folder *release*, named by its digest, below the address *releases*; returns its address there.

    The manifest goes last: what a killed upload leaves is no release without it, and the next one completes it.

    Raises:
        ReleaseError: the bucket cannot be written.
    """
    address = f"{releases}/{release.name}"
    files, target = opened(address)
    names = sorted(path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file())
    with told_plainly(address):
        for name in sorted(names, key=lambda name: name == MANIFEST_FILE):
            with (release / name).open("rb") as taken, files.open_output_stream(f"{target}/{name}") as written:
                shutil.copyfileobj(taken, written, 1 << 20)
    return address
