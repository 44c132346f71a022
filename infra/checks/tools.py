"""The programs that the checks call: those of `make install-infra` first, then what is on PATH."""

import os
import shutil
from pathlib import Path

from components.common.errors import CuveeError

INSTALLED = Path(__file__).parents[2] / ".venv-infra" / "bin"


def tool(name: str, remedy: str = "Install it with `make install-infra`.") -> str:
    """The program's path.

    Raises:
        CuveeError: it is nowhere.
    """
    found = shutil.which(name, path=os.pathsep.join([str(INSTALLED), os.environ.get("PATH", "")]))
    if found is None:
        raise CuveeError(f"{name} is neither in {INSTALLED} nor on PATH. {remedy}")
    return found
