"""Servers in processes of their own: ours, KServe's no-op, and Envoy in front."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from components.common.errors import CuveeError

ROOT = Path(__file__).parents[2]
ENVOY_FILE = ROOT / "infra" / "local" / "envoy.yaml"
START_S = 300.0
LOOK_S, IDLE_SHARE = 0.3, 0.2  # a process that works less than this share of its time between two looks is idle
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, more: Mapping[str, str] | None = None, path: str = "/v2/health/ready"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start *command*, wait until *path* at *port* answers 200, and end it afterwards.

    Raises:
        CuveeError: it ended or did not answer in time; its output is in *log*.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=ROOT, env=os.environ | ONE_THREAD | dict(more or {})
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}{path}", log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cpu_s(pid: int) -> float:
    """Seconds that a process has worked so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def ours(
    store: Path, log: Path, workers: int = 1, light: bool = True, more: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Our server on *store*: its URL and process id.

    *light* False: KServe's own way throughout. *more*: further variables of its environment.
    """
    port = free_port()
    command = [sys.executable, "-m", "serving.server", "--store", str(store), "--port", str(port)]
    if workers > 1:
        command += ["--workers", str(workers)]
    if not light:
        command = [sys.executable, "-m", "benchmarks.serving.heavy", str(store), str(port)]
    with running(command, port, log, more) as process:
        yield f"http://127.0.0.1:{port}", process.pid


@contextmanager
def noop(log: Path, kind: str = "") -> Iterator[tuple[str, int]]:
    """KServe with a model that does nothing: its URL and process id; *kind*: see benchmarks.serving.noop."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.noop", "--http_port", str(port)]
    with running(command, port, log, {"CUVEE_BENCH_NOOP": kind}) as process:
        yield f"http://127.0.0.1:{port}", process.pid


@contextmanager
def naive(store: Path, log: Path) -> Iterator[tuple[str, int]]:
    """Feast, `keras.predict` and KServe put together: its URL and process id."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.naive", str(store), str(port)]
    with running(command, port, log) as process:
        yield f"http://127.0.0.1:{port}", process.pid


def idle(pid: int, seconds: float = 60.0) -> None:
    """Wait until a process has nothing more to do, for *seconds* at most: what clients left is answered first."""
    deadline = time.monotonic() + seconds
    before, now = -1.0, cpu_s(pid)
    while now - before > IDLE_SHARE * LOOK_S and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        before, now = now, cpu_s(pid)


@contextmanager
def envoy(upstream: str, folder: Path) -> Iterator[str]:
    """The Envoy of infra/local in front of *upstream*, on ports that are free."""
    config = yaml.safe_load(ENVOY_FILE.read_text(encoding="utf-8"))
    port, behind = free_port(), int(upstream.rpartition(":")[2])
    resources = config["static_resources"]
    resources["listeners"][0]["address"]["socket_address"]["port_value"] = port
    endpoint = resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"]["port_value"] = behind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "envoy.yaml").write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).with_name("envoy")), "-c", str(folder / "envoy.yaml"), "--concurrency", "1",
               "--log-level", "error", "--use-dynamic-base-id"]  # fmt: skip
    with running(command, port, folder / "envoy.log"):
        yield f"http://127.0.0.1:{port}"


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CuveeError(f"a server ended with code {process.returncode}; its output is in {log}.")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            time.sleep(0.1)
        except OSError:
            time.sleep(0.05)
    raise CuveeError(f"a server was not ready within {START_S:.0f} s; its output is in {log}.")
