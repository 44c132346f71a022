"""A candidate on trial: the real server in a process of its own, asked over HTTP."""

import json
import math
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from components.common.errors import CuveeError
from serving.workers import alone

T = TypeVar("T")
START_S = 90.0
CALL_S = 10.0
STOP_S = 15.0
DEADLINE_MS = 10_000  # a trial judges what is answered, on a machine that has just trained, and not how soon


@contextmanager
def running_server(
    release: Path | str,
    store: Path,
    log: Path,
    as_of: str = "release",
    rules: Path | None = None,
    options: Sequence[str] = (),
    deadline_ms: float = DEADLINE_MS,
) -> Iterator[str]:
    """Serve *release* on a free local port; yields its URL once it is ready, and stops it afterwards.

    *release* is a folder, or an address in a bucket; *as_of* the server's clock: release, now or an ISO time; *rules*
    a file to follow over the release's own; *options* are further ones of its command line; *deadline_ms* what a
    question may take.

    Raises:
        CuveeError: the server ended, or was not ready in time; its output is in *log*.
    """
    url, port = _free_address()
    command = [sys.executable, "-m", "serving.server", "--release", str(release), "--store", str(store)]
    command += [*(["--rules", str(rules)] if rules else []), "--deadline-ms", str(deadline_ms), *options]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--as-of", as_of],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=alone() | {"TQDM_DISABLE": "1"},
        )
        try:
            _wait(process, url, log)
            yield url
        finally:
            _stop(process)


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST JSON, get JSON.

    Raises:
        CuveeError: no answer, an error status, or no JSON object.
    """
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=CALL_S) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise CuveeError(f"{url} answered {error.code}: {error.read(2000).decode(errors='replace')}") from error
    except (OSError, ValueError) as error:
        raise CuveeError(f"{url} did not answer with JSON: {error}") from error
    if not isinstance(answer, dict):
        raise CuveeError(f"{url} answered {type(answer).__name__}, expected a JSON object")
    return answer


def ask_v1(url: str, instance: dict[str, Any]) -> dict[str, Any]:
    """One instance over KServe V1; returns its prediction."""
    answer = post(f"{url}/v1/models/cuvee:predict", {"instances": [instance]})
    return _only(answer.get("predictions"), "predictions", dict)


def ask_v2(url: str, instance: dict[str, Any]) -> dict[str, Any]:
    """One instance over the Open Inference Protocol; returns its prediction."""
    tensor = {"name": "instances", "shape": [1], "datatype": "BYTES", "data": [json.dumps(instance)]}
    answer = post(f"{url}/v2/models/cuvee/infer", {"inputs": [tensor]})
    output = _only(answer.get("outputs"), "outputs", dict)
    try:
        prediction = json.loads(_only(output.get("data"), "data", str))
    except ValueError as error:
        raise CuveeError("V2: the element of tensor 'predictions' is not JSON") from error
    return _only([prediction], "prediction", dict)


def check(prediction: dict[str, Any], instance: dict[str, Any], digest: str) -> None:
    """Is this an answer of release *digest* to *instance*, with an explanation that sums to its scores.

    Raises:
        CuveeError: names what is wrong with it.
    """
    scenario, items = instance.get("scenario"), prediction.get("items")
    if prediction.get("release") != digest:
        raise CuveeError(f"{scenario}: answered by release {prediction.get('release')}, expected {digest}")
    if not isinstance(items, list) or not 0 < len(items) <= instance.get("k", 10):
        raise CuveeError(f"{scenario}: expected 1 to {instance.get('k', 10)} items, found {items!r:.200}")
    for position, item in enumerate(items, start=1):
        problem = _item_problem(item, position)
        if problem:
            raise CuveeError(f"{scenario}: item {position}: {problem}, found {item!r:.200}")
    if len({item["item_id"] for item in items}) < len(items):
        raise CuveeError(f"{scenario}: an item appears twice")


def _item_problem(item: Any, position: int) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("item_id"), str) or item.get("position") != position:
        return f"expected an item_id and position {position}"
    score, why = item.get("score"), item.get("why")
    if not isinstance(score, int | float) or not math.isfinite(score):
        return "expected a finite score"
    if not isinstance(why, dict) or not math.isclose(sum(why.values()), score, rel_tol=1e-4, abs_tol=1e-5):
        return "expected an explanation that sums to the score"
    return ""


def _only(values: Any, name: str, kind: type[T]) -> T:
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], kind):
        raise CuveeError(f"expected '{name}' with one {kind.__name__}, found {values!r:.200}")
    first: T = values[0]
    return first


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CuveeError(
                f"The candidate's server ended with code {process.returncode}: {_last_said(log)} See {log}."
            )
        try:
            with urllib.request.urlopen(f"{url}/v2/models/cuvee/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise CuveeError(f"The candidate's server was not ready within {START_S:.0f} s. See {log}.")


def _last_said(log: Path) -> str:
    """The message of the last line of a server's log, or the line, if it is none of the server's own."""
    line = "".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:])
    try:
        return str(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError):
        return line


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_address() -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return f"http://127.0.0.1:{port}", port
