"""Run by an image's own Python: the packages of PyPI and of Debian in it, as JSON on standard output."""

import json
import subprocess
import sys
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path

FIELDS = ("Package", "Version", "Architecture", "Installed-Size")


def licence(about: PackageMetadata) -> str | None:
    """What a package's metadata call its licence, where that is a name and not the text."""
    named, classes, text = (about.get_all(name) or [] for name in ("License-Expression", "Classifier", "License"))
    told = [*named, *(one.rpartition(" :: ")[2] for one in classes if one.startswith("License ::")), *text]
    return next((one for one in told if one and len(one) < 80 and "\n" not in one), None)


def size(package: Distribution) -> int:
    """Bytes of the files that the package brought."""
    there = [Path(str(path.locate())) for path in package.files or ()]
    return sum(one.stat().st_size for one in there if one.is_file())


def debian() -> list[list[str]]:
    """FIELDS of every package of Debian; the size is in KiB."""
    form = "\t".join(f"${{{name}}}" for name in FIELDS) + "\n"
    told = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in told.splitlines()]


def main() -> None:
    """Write the list."""
    python = [[one.name, one.version, licence(one.metadata), size(one)] for one in distributions()]
    json.dump({"python": python, "debian": debian(), "interpreter": sys.version.split()[0]}, sys.stdout)


if __name__ == "__main__":
    main()
