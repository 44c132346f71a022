"""Keep out of the server's process what no request needs.

Feast and others import torch or transformers where they find them; a server that shares an environment with the
pipeline would carry hundreds of megabytes that no request needs. `install` is called first thing by
`python -m serving.server` and nowhere else: pipeline processes are not touched.
"""

import ctypes
import gc
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

BARRED = frozenset({"torch", "tensorflow", "keras", "transformers", "kfp"})
CLIENT = "kserve.api.kserve_client"
READ_SHARED = "r--s"  # what /proc says of memory that is a file, only read
FEAST_SERVERS = ("feast.feature_server", "feast.ui_server")
ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"  # its own allocator keeps 45 MB of two small Parquet files once they are read


class Guard(MetaPathFinder):
    """A finder that answers "not installed" for the barred packages and leaves all others alone."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for what may be imported.

        Raises:
            ModuleNotFoundError: *fullname* is a barred package or lies in one.
        """
        if fullname.partition(".")[0] in BARRED:
            raise ModuleNotFoundError(f"{fullname} is kept out of the serving process", name=fullname)
        return None


def install() -> None:
    """Bar the packages from now on; does nothing the second time.

    Raises:
        RuntimeError: one of them is imported already, so the guard would come too late.
    """
    present = sorted(BARRED & sys.modules.keys())
    if present:
        raise RuntimeError(f"{', '.join(present)} already imported; start the server in a process of its own")
    if not any(isinstance(finder, Guard) for finder in sys.meta_path):
        sys.meta_path.insert(0, Guard())
        os.environ.setdefault(ARROW_POOL, "system")
        _skip_instrumentation()
        _skip_client()
        _skip_fortran()
        _skip_servers()


def _skip_instrumentation() -> None:
    """Leave out typeguard's rewriting of Feast's classes: 3 of the 4 seconds that importing Feast takes."""
    import typeguard

    def unchanged(target: Any = None, **_options: Any) -> Any:
        identity: Callable[[Any], Any] = lambda value: value  # noqa: E731
        return identity if target is None else target

    typeguard.typechecked = unchanged


def _skip_client() -> None:
    """Leave out KServe's client of clusters, which no server asks: a third of what importing KServe takes."""

    class KServeClient:
        def __init__(self, *_arguments: Any, **_options: Any) -> None:
            raise ModuleNotFoundError("the client of clusters is kept out of the serving process", name=CLIENT)

    module = ModuleType(CLIENT)
    module.__dict__["KServeClient"] = KServeClient
    sys.modules.setdefault(CLIENT, module)


def _skip_fortran() -> None:
    """Leave out NumPy's reader of Fortran, which SciPy's `from numpy import *` would import: 7 MB."""
    import numpy as np

    np.__dict__["f2py"] = sys.modules.setdefault("numpy.f2py", ModuleType("numpy.f2py"))


def _skip_servers() -> None:
    """Leave out the servers that Feast would be if asked, with their checks of tokens and keys: 15 MB."""
    for name in FEAST_SERVERS:
        sys.modules.setdefault(name, ModuleType(name))


def give_back() -> None:
    """Return to the machine what loading needed: memory that the C library would keep, pages of files that lie mapped.

    A mapped page that is asked for again is there at once: the file stays in the machine's cache.
    """
    library, maps = ctypes.CDLL(None), Path("/proc/self/maps")
    if hasattr(library, "malloc_trim"):  # glibc's alone
        library.malloc_trim(0)
    for line in maps.read_text(encoding="utf-8").splitlines() if maps.exists() else []:
        if line.endswith(".npy") and line.split()[1] == READ_SHARED:
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def settle() -> None:
    """Free what nobody holds any more, and take what is loaded out of the garbage collector's sight.

    It would go through all of a release again and again while questions are answered, each time for a tenth of a second
    in which no thread does anything. What was taken out before comes back first, so that an earlier release is freed.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
