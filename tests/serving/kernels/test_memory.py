import threading
from pathlib import Path

import numpy as np
import pytest

from serving import kernels
from serving.arrays import top_k

THREADS = 300


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not kernels.there, reason="the compiled loops are not there: no C compiler was found")
def test_threads_that_end_leave_nothing() -> None:
    scores = np.ones((1, 60_000), dtype=np.float32)  # all tie: some 480 kB of keys a thread

    def one() -> None:
        thread = threading.Thread(target=top_k, args=(scores, 100))
        thread.start()
        thread.join()

    for _ in range(5):
        one()
    before = resident()
    for _ in range(THREADS):
        one()
    assert resident() - before < 50_000_000  # kept, they would be 144 MB
