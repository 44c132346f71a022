"""Which release a store serves: `current` holds its digest, `releases/<digest>` the release itself."""

import re
from pathlib import Path

from components.common.errors import ReleaseError

POINTER, RELEASES = "current", "releases"
DIGEST = re.compile(r"[0-9a-f]{64}")


def current_digest(store: Path) -> str | None:
    """The digest that `current` holds; None where nothing has been published yet.

    Raises:
        ReleaseError: the pointer is not a digest.
    """
    try:
        digest = (store / POINTER).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"{store / POINTER} cannot be read. Roll back to a release of {store / RELEASES}."
        ) from error
    if not DIGEST.fullmatch(digest):
        raise ReleaseError(
            f"{store / POINTER} does not hold a release's digest. Roll back to one of {store / RELEASES}."
        )
    return digest


def current_release(store: Path) -> Path | None:
    """The folder of the release that `current` names; None where nothing has been published yet."""
    digest = current_digest(store)
    return store / RELEASES / digest if digest else None
