"""The built serving image as a container that is given what its manifest says and nothing else, asked over HTTP."""

import os
import re
import shutil
import socket
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from http_calls import until
from small_release import live_store

from components.common.errors import CuveeError
from components.deploy.trial import ask_v1, ask_v2, check
from infra.images.contents import LIMITS, Contents, contents, cyclonedx, podman
from serving.current import current_release

ROOT = Path(__file__).parents[3]
RUNTIME = ROOT / "infra" / "base" / "serving" / "serving-runtime.yaml"
STARTED_S = 180.0
QUESTION = {"scenario": "recommend", "user_id": "u07", "k": 5, "explain": True}
KERNEL = {"cgroup", "cgroup2", "devpts", "mqueue", "proc", "sysfs"}
OWN = ("/dev", "/etc/", "/proc/", "/run/", "/sys/")  # devices, and the names that podman tells every container
WRITE = """
import errno, pathlib, sys
for place in sys.argv[1:]:
    try:
        pathlib.Path(place, "new").write_text("x")
        told = "written"
    except OSError as error:
        told = errno.errorcode[error.errno]
    sys.stdout.write(f"{place} {told}\\n")
"""
PRIVILEGED = """
import os, stat, sys
for folder, inner, files in os.walk("/"):
    inner[:] = [name for name in inner if folder != "/" or name not in ("proc", "sys")]
    for path in (os.path.join(folder, name) for name in files):
        if os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
            sys.stdout.write(path + "\\n")
"""

pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif(
        shutil.which("podman") is None and "CUVEE_REQUIRE_ALL" not in os.environ, reason="podman is not installed"
    ),
]


def manifest() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load(RUNTIME.read_text())["spec"]
    return spec


@pytest.fixture(scope="module")
def image() -> str:
    name: str = manifest()["containers"][0]["image"]
    try:
        podman("image", "inspect", name)
    except CuveeError as error:
        pytest.skip(f"{name} is not built; make image-serving ({error})")
    return name


@pytest.fixture(scope="module")
def held(image: str) -> Contents:
    return contents(image)


@dataclass(frozen=True)
class Running:
    """A container, the address it answers at, and the release that it was given."""

    name: str
    url: str
    digest: str

    @property
    def process(self) -> Path:
        return Path("/proc") / podman("inspect", "--format", "{{.State.Pid}}", self.name).strip()

    def written(self, user: str, *places: str) -> dict[str, str]:
        """What becomes of a file that *user* writes into each folder."""
        told = podman("exec", "--user", user, self.name, "python", "-c", WRITE, *places)
        return dict(line.split() for line in told.splitlines())


def options(spec: dict[str, Any], store: Path, release: Path) -> list[str]:
    """A pod's security context, limits and volumes in podman's words; the user is left to the image."""
    (container,) = spec["containers"]
    safe = container["securityContext"]
    assert safe["readOnlyRootFilesystem"] is True
    assert safe["allowPrivilegeEscalation"] is False
    scratch = next(volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"] if volume["name"] == "scratch")
    paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    memory = container["resources"]["limits"]["memory"].removesuffix("i").lower()
    return [
        "--read-only", "--read-only-tmpfs=false", "--security-opt", "no-new-privileges",
        *(f"--cap-drop={name}" for name in safe["capabilities"]["drop"]),
        "--tmpfs", f"{paths['scratch']}:size={scratch.removesuffix('i').lower()},mode=1777",
        "--memory", memory, "--memory-swap", memory, *LIMITS,
        "--volume", f"{store}:{paths['store']}:ro", "--volume", f"{release}:/mnt/models:ro",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(live_store(tmp_path_factory.mktemp("image")), tmp_path_factory.mktemp("served") / "store")


@contextmanager
def container(image: str, store: Path) -> Iterator[Running]:
    """A container of its own, removed afterwards; the key is given as a secret would be, and the store's not read."""
    release, spec, name = current_release(store), manifest(), f"cuvee-{uuid.uuid4().hex[:12]}"
    assert release is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    (runs,) = spec["containers"]
    own = {"0.0.0.0": "127.0.0.1", "8080": port, "now": "release"}
    command = [own.get(word, word) for word in (*runs["command"], *runs["args"])]
    key = f"CUVEE_ID_KEY={(store / 'id.key').read_text().strip()}"
    given = ["--network", "host", "--env", key, *options(spec, store, release)]
    podman("run", "--detach", "--name", name, *given, image, *command, "--deadline-ms", "10000")
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(url + runs["readinessProbe"]["httpGet"]["path"]), STARTED_S)
        yield Running(name, url, release.name)
    finally:
        podman("rm", "--force", name)


@pytest.fixture(scope="module")
def running(image: str, store: Path) -> Iterator[Running]:
    with container(image, store) as one:
        yield one


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def test_it_answers_a_known_user_whole_and_by_both_protocols(running: Running) -> None:
    for ask in (ask_v1, ask_v2):
        prediction = ask(running.url, QUESTION)
        check(prediction, QUESTION, running.digest)
        assert prediction["degraded"] == []
    assert ask_v1(running.url, QUESTION)["items"] != ask_v1(running.url, QUESTION | {"user_id": "nobody"})["items"]


def test_it_is_user_10001_with_no_rights_and_cannot_gain_any(image: str, running: Running) -> None:
    status = dict(re.findall(r"^(\w+):\t(.*)$", (running.process / "status").read_text(), re.MULTILINE))
    assert status["Uid"].split() == status["Gid"].split() == ["10001"] * 4
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert podman("image", "inspect", "--format", "{{.Config.User}}", image).strip() == "10001:10001"


def test_nothing_can_be_written_but_its_scratch(running: Running) -> None:
    mounts = [line.split() for line in (running.process / "mounts").read_text().splitlines()]
    writable = {place for _, place, kind, how, *_ in mounts if "rw" in how.split(",") and kind not in KERNEL}
    assert {place for place in writable if not place.startswith(OWN)} == {"/tmp"}
    assert {"/", "/mnt/store", "/mnt/models"} <= {place for _, place, _, how, *_ in mounts if "ro" in how.split(",")}
    closed = ("/", "/app", "/src", "/etc", "/home", "/mnt/store", "/mnt/models")
    assert running.written("0", *closed) == dict.fromkeys(closed, "EROFS")  # not even by who owns the files
    assert running.written("10001", "/tmp") == {"/tmp": "written"}
    assert set(running.written("10001", "/dev", "/run", "/sys/fs/cgroup").values()) <= {"EACCES", "EROFS"}


def test_it_holds_the_lock_and_no_more(held: Contents) -> None:
    lines = (ROOT / "requirements" / "serving.txt").read_text().splitlines()
    locked = {tuple(line.partition(";")[0].strip().lower().replace("_", "-").split("==")) for line in lines}
    assert locked - {(name, version) for name, version, _, _ in held.python} == {
        one
        for one in locked
        if one[0] == "setuptools"  # asked for by what compiles protocols, which a server does not
    }
    assert {name for name, *_ in held.python} < {one[0] for one in locked}
    names = {name for name, *_ in held.python} | {name for name, *_ in held.debian}
    assert not names & {"torch", "tensorflow", "tensorflow-cpu", "kfp", "pip", "gcc", "make", "curl", "sudo"}


def test_its_list_names_every_package_once(held: Contents) -> None:
    listed = cyclonedx(held)["components"]
    urls = [one["purl"] for one in listed]
    assert len(set(urls)) == len(urls) == len(held.python) + len(held.debian) > 200
    assert any(url.startswith("pkg:pypi/kserve@") for url in urls)
    assert any(url.startswith("pkg:deb/debian/libc6@") for url in urls)


def test_no_program_of_it_gives_its_owner_s_rights(image: str) -> None:

    told = podman("run", "--rm", "--network", "none", *LIMITS, "--user", "0", image, "python", "-c", PRIVILEGED)
    assert told == ""


def test_told_to_end_it_ends_well(image: str, store: Path) -> None:
    with container(image, store) as one:
        podman("stop", "--time", "30", one.name)
        told = podman("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", one.name)
    assert told.split() == ["0", "false"]


def test_the_compiled_loops_are_in_it(image: str) -> None:
    asked = "from serving import kernels; print(kernels.there)"
    assert podman("run", "--rm", "--network", "none", *LIMITS, image, "python", "-c", asked).strip() == "True"
