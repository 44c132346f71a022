"""What a stage tells the person who waits: its start, progress, end and error, as JSON lines in one file."""

import ctypes
import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.common.errors import CuveeError

PROGRESS_FILE = "CUVEE_PROGRESS"

# One thread for the linear algebra of a step, set before numpy is imported: on a few shared cores its spinning
# workers cost more than they give,
# and sums are then the same from run to run. TensorFlow, ONNX Runtime and evaluation bring threads of their own.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt
KEPT_BYTES = 1 << 30


def keep_memory() -> bool:
    """Let the C library keep what arrays give back, up to KEPT_BYTES; False where it is not glibc.

    By itself it hands large arrays back to the kernel at once, which clears every page again for the next of the same
    size: that takes longer than adding the two arrays it is for.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, KEPT_BYTES) for name in (TRIM_THRESHOLD, MMAP_THRESHOLD))


keep_memory()


def tell(**fact: Any) -> None:
    """Append one fact to the progress file, if a run asked for it."""
    path = os.environ.get(PROGRESS_FILE)
    if path:
        with Path(path).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(fact, default=str) + "\n")


def progress(stage: str, done: int, total: int) -> None:
    """Report *done* of *total* steps of long work."""
    tell(stage=stage, kind="progress", done=done, total=total)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time one stage and report how it ended; errors pass through."""
    started, worked = time.perf_counter(), time.process_time()
    tell(stage=name, kind="start")
    try:
        yield
    except BaseException as error:
        code = error.exit_code if isinstance(error, CuveeError) else 1
        tell(stage=name, kind="error", message=str(error), error=type(error).__name__, exit_code=code)
        raise
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    tell(stage=name, kind="end", seconds=round(seconds, 3), cpu_s=round(cpu, 3), rss_mb=round(rss, 1))
