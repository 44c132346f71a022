"""What a built image holds, as it says itself: a CycloneDX list of its packages, and the largest of them.

Usage: python -m infra.images.contents IMAGE OUT.json
"""

import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from components.common.errors import CuveeError
from components.common.files import write_json
from infra.checks.tools import tool

log = logging.getLogger("contents")
LARGEST = 12
LIMITS = (
    "--ulimit",
    "nofile=4096:4096",
    "--ulimit",
    "nproc=4096:4096",
)  # podman's own may be above the host's
LISTING = Path(__file__).with_name("listing.py")


@dataclass(frozen=True)
class Contents:
    """An image's packages."""

    image: str
    bytes: int
    interpreter: str
    python: tuple[tuple[str, str, str | None, int], ...]  # name, version, licence, bytes of its files
    debian: tuple[tuple[str, str, str, int], ...]  # name, version, architecture, bytes


def podman(*arguments: str, question: str = "") -> str:
    """What podman prints.

    Raises:
        CuveeError: podman is absent, or it refuses.
    """
    program = tool("podman", "Install podman and runc from the distribution.")
    done = subprocess.run([program, *arguments], input=question, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise CuveeError(f"podman {' '.join(arguments)[:200]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def contents(image: str) -> Contents:
    """Ask *image*'s own Python and dpkg what is installed.

    Raises:
        CuveeError: there is no such image here, or it holds neither.
    """
    size = int(podman("image", "inspect", "--format", "{{.Size}}", image))
    alone = ("run", "--rm", "--interactive", "--network", "none", "--read-only", *LIMITS)
    told = podman(*alone, image, "python", "-", question=LISTING.read_text(encoding="utf-8"))
    found = json.loads(told)
    python = sorted((str(name).lower().replace("_", "-"), *rest) for name, *rest in found["python"])
    debian = sorted((name, version, kind, int(size) * 1024) for name, version, kind, size in found["debian"])
    return Contents(image, size, found["interpreter"], tuple(python), tuple(debian))


def cyclonedx(found: Contents) -> dict[str, Any]:
    """The list as CycloneDX 1.6, the same for the same contents."""
    name, _, tag = found.image.rpartition(":")
    listed = [_of_python(*one) for one in found.python]
    listed += [_component(one, version, f"deb/debian/{one}", f"?arch={kind}") for one, version, kind, _ in found.debian]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": found.image, "name": name, "version": tag}},
        "components": listed,
    }


def _of_python(name: str, version: str, licence: str | None, _size: int) -> dict[str, Any]:
    told = {"licenses": [{"license": {"name": licence}}]} if licence else {}
    return _component(name, version, f"pypi/{name}") | told


def _component(name: str, version: str, kind: str, more: str = "") -> dict[str, Any]:
    url = f"pkg:{kind}@{quote(version, safe='')}{more}"
    return {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


def main(image: str, out: str) -> int:
    """Write the list and say what is large."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        found = contents(image)
    except CuveeError as error:
        log.error("%s", error)
        return error.exit_code
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    write_json(Path(out), cyclonedx(found))
    log.info("%s: %d MB, Python %s", image, found.bytes / 1e6, found.interpreter)
    log.info("%d packages of PyPI, %d MB", len(found.python), sum(one[-1] for one in found.python) / 1e6)
    log.info("%d of Debian, %d MB", len(found.debian), sum(one[-1] for one in found.debian) / 1e6)
    for name, version, _, size in sorted(found.python, key=lambda one: -one[-1])[:LARGEST]:
        log.info("  %-24s %-14s %6d MB", name, version, size / 1e6)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
