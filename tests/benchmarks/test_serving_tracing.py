"""Traces are measured for real, on a small release; and what a client leaves behind is waited for."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_release import live_store, run_folder

from benchmarks.serving import tracing
from benchmarks.serving.servers import cpu_s, idle


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return live_store(run_folder(tmp_path_factory))


def test_a_process_is_idle_once_its_work_is_done() -> None:
    work = "import time\nwhile time.process_time() < 1.0: pass\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", work])
    try:
        time.sleep(0.2)
        idle(process.pid)
        assert cpu_s(process.pid) >= 0.95
    finally:
        process.kill()
        process.wait()


def test_traces_are_sent_and_what_they_cost_is_told(store: Path, tmp_path: Path) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed: `apt-get install wrk`")
    found = tracing.measure(store, tmp_path, repetitions=1, seconds=1)
    assert found["sent_bytes"] > 0
    for count in ("1", "32"):
        plain, traced = (found["servers"][name][count] for name in (tracing.PLAIN, tracing.TRACED))
        assert found["ratios"][count]["throughput"] == traced["per_s"] / plain["per_s"]
        assert (plain["broken"], traced["broken"]) == (0, 0)
    assert tracing.tell(found)[1].startswith("32 at once, every question traced: ")
