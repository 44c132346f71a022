"""Import Feast without what it drags along: torch where it is installed, and typeguard's rewriting of its classes.

Unlike serving.lean, which bars training frameworks from the server for good, this lasts for one import: a pipeline
step may still import torch afterwards. It takes Feast's import from seven seconds to two.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from serving.lean import Guard


@contextmanager
def light_imports() -> Iterator[None]:
    """Within the block the barred packages, unless imported already, are "not installed" and typeguard is idle."""
    import typeguard

    def idle(target: Any = None, **_options: Any) -> Any:
        return target if target is not None else lambda value: value

    guard, checked = Guard(), typeguard.typechecked
    sys.meta_path.insert(0, guard)
    typeguard.typechecked = idle
    try:
        yield
    finally:
        typeguard.typechecked = checked
        sys.meta_path.remove(guard)
