"""Compiles the loops beside this file, where a C compiler is there: `python serving/kernels/build.py`.

Installing the project does it too, see hatch_build.py, which reads this file alone: it needs nothing but Python.
"""

import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
LIBRARY = HERE / "_kernels.so"
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra", "-Wno-psabi")


def sources() -> list[Path]:
    """The C files and what they share."""
    return sorted([*HERE.glob("*.c"), *HERE.glob("*.h")])


def digest() -> str:
    """What the sources hash to: a library tells the same of those it was made from."""
    found = hashlib.sha256()
    for path in sources():
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def compiler() -> list[str]:
    """The words of the C compiler's command: CC, else the first of cc, gcc and clang that is there; empty: none."""
    named = shlex.split(os.environ.get("CC", ""))
    return named or next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), [])


def build(library: Path = LIBRARY) -> bool:
    """Compile *library*; False, and a line that says why, where that cannot be done."""
    command = compiler()
    if not command:
        log.warning("no C compiler found: the compiled loops are left out; answers are the same, slower.")
        return False
    made = library.with_suffix(f".{os.getpid()}.new")
    files = [str(path) for path in sources() if path.suffix == ".c"]
    command += [*FLAGS, f'-DSOURCES="{digest()}"', *files, "-lm", "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        log.warning("the compiled loops are left out, answers are the same, slower: %s", done.stderr[-2000:])
        return False
    made.replace(library)
    return True


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    sys.exit(0 if build() else 1)
