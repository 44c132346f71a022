"""`cuvee demo`: serve the release a run has published, ask it once per scenario over V1 and V2, show the answers."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from components.common import columns as c
from components.common.errors import CuveeError
from components.deploy.publish import champion
from pipelines.ask import ask, show
from serving.catalogue import Catalogue

START_S = 60


@contextlib.contextmanager
def server(store: Path, log: Path) -> Iterator[str]:
    """A server on a free local port for the time of a `with` block; yields its address.

    Raises:
        CuveeError: it was not ready within a minute.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "serving.server", "--store", str(store), "--port", str(port)]
    with log.open("w", encoding="utf-8") as handle:
        process = subprocess.Popen(command, stdout=handle, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/v2/models/cuvee/ready", timeout=2):
            return
        time.sleep(0.1)
    raise CuveeError(f"The server did not become ready within {START_S} s; its log is {log}.")


def ask_v2(url: str, instance: dict[str, Any]) -> dict[str, Any]:
    """The same question over the Open Inference Protocol."""
    tensor = {"name": "instances", "shape": [1], "datatype": "BYTES", "data": [json.dumps(instance)]}
    request = urllib.request.Request(
        f"{url}/v2/models/cuvee/infer",
        data=json.dumps({"inputs": [tensor]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.loads(json.load(response)["outputs"][0]["data"][0])
        return answer


def demo(out: Path, store: Path, user: str, query: str) -> None:
    """Ask the published release for recommendations, a search and similar items, and print them."""
    release = champion(store)
    if release is None:
        raise CuveeError(f"{store} holds no published release. Run `cuvee run` first.")
    items = Catalogue.load(release / "catalogue.parquet").items
    titles = dict(zip(items[c.ITEM_ID].astype(str), items[c.TITLE], strict=True))
    console = Console()
    with server(store, out / "server.log") as url:
        first = ask(url, {"scenario": "recommend", "user_id": user, "k": 10, "explain": True})
        asked: dict[str, dict[str, Any]] = {
            f"recommend for user {user}": {"scenario": "recommend", "user_id": user, "k": 10, "explain": True},
            f"search '{query}'": {"scenario": "search", "query": query, "k": 5, "explain": True},
            "similar to the first recommendation": {
                "scenario": "similar", "item_id": first["items"][0]["item_id"], "k": 5, "explain": True,
            },
        }  # fmt: skip
        for name, instance in asked.items():
            over_v1, over_v2 = ask(url, instance), ask_v2(url, instance)
            if over_v1["items"] != over_v2["items"] or not over_v1["items"]:
                raise CuveeError(f"{name}: V1 and V2 should give the same, non-empty list; see {out / 'server.log'}.")
            console.print(f"\n[bold]{name}[/bold] (V1 and V2 agree)")
            show(over_v1, titles)
    console.print("\nKeep it up with `make serve`, then: cuvee ask recommend", user)
