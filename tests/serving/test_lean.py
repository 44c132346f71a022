"""The server's process holds no training framework, though all are installed beside it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.arrays import stored
from serving.lean import BARRED, give_back

PROBE = """
import json, os, pathlib, runpy, signal, socket, sys, threading, time, urllib.request
store, out = sys.argv[1:3]
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = str(probe.getsockname()[1])
def ask():
    body = json.dumps({"instances": [{"scenario": "recommend", "user_id": "u07"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/models/cuvee:predict", body, {"Content-Type": "application/json"})
    while True:
        try:
            answer = json.load(urllib.request.urlopen(request))
            break
        except OSError:
            time.sleep(0.05)
    modules = [name for name in sys.modules if "." not in name]
    f2py = hasattr(sys.modules["numpy.f2py"], "compile")
    maps = pathlib.Path("/proc/self/maps").read_text()
    rss = next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith("VmRSS")) / 1024
    told = {"f2py": f2py, "answer": answer, "modules": modules, "maps": maps, "rss_mb": rss}
    pathlib.Path(out).write_text(json.dumps(told))
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=ask, daemon=True).start()
sys.argv = ["serving.server", "--store", store, "--port", port]
runpy.run_module("serving.server", run_name="__main__")
"""


def python(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def seen(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a running server sees of itself after one answer with user features from Feast."""
    out = tmp_path_factory.mktemp("lean") / "seen.json"
    done = python(PROBE, str(store), str(out))
    assert out.exists(), done.stderr
    return dict(json.loads(out.read_text()))


def test_the_running_server_has_imported_no_training_framework(seen: dict[str, object]) -> None:
    modules = seen["modules"]
    assert isinstance(modules, list)
    assert {"kserve", "feast", "onnxruntime"} <= set(modules)
    assert not BARRED & set(modules)
    assert "kubernetes" not in modules  # KServe's client of clusters would bring it
    assert not {"faiss", "psycopg", "redis"} & set(modules)  # stores of other kinds, that Feast would ask for
    assert seen["f2py"] is False
    assert not {"gunicorn", "jwt", "cryptography"} & set(modules)  # Feast's own servers would bring them


def test_the_running_server_maps_no_library_of_theirs(seen: dict[str, object]) -> None:
    maps = str(seen["maps"])
    assert "libonnxruntime" in maps or "onnxruntime" in maps
    assert "libtorch" not in maps
    assert "libtensorflow" not in maps


def test_the_running_server_answered_and_is_small(seen: dict[str, object]) -> None:
    answer = seen["answer"]
    assert isinstance(answer, dict)
    assert answer["predictions"][0]["degraded"] == []
    assert isinstance(seen["rss_mb"], float)
    assert seen["rss_mb"] < 300


def test_a_barred_package_looks_as_if_it_were_not_installed() -> None:
    code = """
import sys
from serving import lean
lean.install(); lean.install()
assert sum(isinstance(finder, lean.Guard) for finder in sys.meta_path) == 1
for name in sorted(lean.BARRED):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        assert error.name == name, error
    else:
        raise AssertionError(name)
"""
    assert python(code).returncode == 0


def test_a_server_has_no_client_of_clusters_and_says_so() -> None:
    code = "from serving import lean; lean.install(); import kserve; kserve.KServeClient()"
    assert "client of clusters is kept out" in python(code).stderr


def test_too_late_is_an_error() -> None:
    done = python(
        "import sys, types; sys.modules['kfp'] = types.ModuleType('kfp'); import serving.lean as l; l.install()"
    )
    assert "RuntimeError: kfp already imported" in done.stderr


def test_importing_the_server_bars_nothing_elsewhere() -> None:
    code = "import serving.server, serving.live, sys; print([type(finder).__name__ for finder in sys.meta_path])"
    done = python(code)
    assert done.returncode == 0
    assert "Guard" not in done.stdout


def resident(path: Path) -> int:
    """Bytes of the file *path* that this process has in memory, mapped."""
    parts = Path("/proc/self/smaps").read_text().split(f"{path}\n")[1:]
    return sum(int(part.split("Rss:")[1].split()[0]) << 10 for part in parts)


def test_pages_that_lie_mapped_are_given_back_and_hold_the_same_when_read_again(tmp_path: Path) -> None:
    path, numbers = tmp_path / "numbers.npy", np.arange(1 << 20, dtype=np.float64)
    np.save(path, numbers)
    mapped = stored(path)
    assert (mapped == numbers).all()
    assert resident(path) > 0.9 * numbers.nbytes
    give_back()
    assert resident(path) < 0.1 * numbers.nbytes
    assert (mapped == numbers).all()


def test_what_is_loaded_is_looked_through_no_more_and_an_earlier_release_is_freed() -> None:
    code = """
import gc, weakref
from serving.lean import settle
class Release:
    def __init__(self): self.blend, self.lists = self, [[] for _ in range(100_000)]  # holds itself, as blends do
first = Release()
gone = weakref.ref(first)
settle()
print(len(gc.get_objects()) < 10_000)
second, first = Release(), None
gc.collect()
print(gone() is None)
settle()
print(gone() is None, len(gc.get_objects()) < 10_000)
"""
    assert python(code).stdout.split() == ["True", "False", "True", "True"]
