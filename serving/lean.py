"""Keep training frameworks out of the server's process.

Feast and others import torch or transformers where they find them; a server that shares an environment with the
pipeline would carry hundreds of megabytes that no request needs. `install` is called first thing by
`python -m serving.server` and nowhere else: pipeline processes are not touched.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

BARRED = frozenset({"torch", "tensorflow", "keras", "transformers", "kfp"})
CLIENT = "kserve.api.kserve_client"


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
        _skip_instrumentation()
        _skip_client()


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
