"""What is sent to the Kubeflow Pipelines server, seen by a real server of HTTP."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.common.errors import ConfigError
from pipelines.compile import COMPILED
from pipelines.submit import Wish, submit

Calls = list[tuple[str, str, Any]]
ANSWERS = {
    "experiments": {"experiment_id": "e-1", "display_name": "shop"},
    "recurringruns": {"recurring_run_id": "again-1"},
    "runs": {"run_id": "run-1"},
}


@pytest.fixture
def kubeflow() -> Iterator[tuple[str, Calls]]:
    calls: Calls = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, body: Any) -> None:
            path = self.path.partition("?")[0]
            calls.append((self.command, path, body))
            told = json.dumps(ANSWERS.get(path.rpartition("/")[2], {}) if body is not None else {}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def do_GET(self) -> None:
            self.answer(None)

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}"))

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", calls
        server.shutdown()


def posted(calls: Calls, ending: str) -> Any:
    return next(body for command, path, body in calls if command == "POST" and path.endswith(ending))


def wish(**more: Any) -> Wish:
    return Wish(compiled=COMPILED / "train_and_deploy.yaml", experiment="shop", arguments={"store": "/store"}, **more)


def test_once_is_a_run_under_the_account_of_the_steps(kubeflow: tuple[str, Calls]) -> None:
    url, calls = kubeflow
    assert submit(url, "team", wish()) == "run-1"
    body = posted(calls, "/runs")
    assert body["service_account"] == "cuvee-pipeline"
    assert body["runtime_config"]["parameters"] == {"store": "/store"}
    assert not [path for _, path, _ in calls if path.endswith("recurringruns")]


def test_by_the_clock_is_a_recurring_run_one_at_a_time(kubeflow: tuple[str, Calls]) -> None:
    url, calls = kubeflow
    assert submit(url, "team", wish(cron="0 0 3 * * *", service_account="other")) == "again-1"
    body = posted(calls, "/recurringruns")
    assert body["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert (body["max_concurrency"], body["no_catchup"], body["service_account"]) == (1, True, "other")
    assert body["display_name"] == "train-and-deploy"
    assert not [path for command, path, _ in calls if path.endswith("/runs") and command == "POST"]


@pytest.mark.parametrize("cron", ["0 3 * * *", "daily"])
def test_a_clock_of_another_kind_is_refused_before_anything_is_sent(kubeflow: tuple[str, Calls], cron: str) -> None:
    url, calls = kubeflow
    with pytest.raises(ConfigError, match="six fields"):
        submit(url, "team", wish(cron=cron))
    assert calls == []


def test_what_was_not_compiled_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cuvee compile"):
        submit("http://127.0.0.1:9", "team", Wish(compiled=tmp_path / "no.yaml", experiment="shop"))
