"""Which release a store serves: `current` holds its digest, `releases/<digest>` the release itself.

Where it is signed, a second line of `current` says by whom (serving.pointer).

`served` lists the digests that have been served, the last one at the end.
"""

import re
from contextlib import suppress
from pathlib import Path

from components.common.errors import ReleaseError

POINTER, RELEASES, SERVED = "current", "releases", "served"
DIGEST = re.compile(r"[0-9a-f]{64}")


def current_digest(store: Path) -> str | None:
    """The digest that `current` holds; None where nothing has been published yet.

    Raises:
        ReleaseError: the pointer is not a digest.
    """
    try:
        digest = (store / POINTER).read_text(encoding="ascii").partition("\n")[0].strip()
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


def served(store: Path) -> list[str]:
    """Digests of the releases that have been served and are still there, the last first; none before the first.

    A store of before this was noted: all its releases, by age.
    """
    if not (store / POINTER).exists():
        return []
    known = by_age(store)
    if (store / SERVED).exists():
        listed = (store / SERVED).read_text(encoding="ascii", errors="replace").split()
        known = [digest for digest in reversed(listed) if digest in known]
    with suppress(ReleaseError):
        current = current_release(store)
        if current is not None and current.is_dir() and current.name not in known:
            known.insert(0, current.name)  # the publisher was killed before it could note it
    return known


def by_age(store: Path) -> list[str]:
    """Digests of all releases of the store, tried or served, last published first."""
    releases = store / RELEASES
    found = [path for path in releases.iterdir() if DIGEST.fullmatch(path.name)] if releases.exists() else []
    return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)]
