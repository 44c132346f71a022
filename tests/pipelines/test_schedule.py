"""Recurring runs follow a file, as a server that keeps them sees it."""

import http.server
import itertools
import json
import shutil
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.common.errors import ConfigError, CuveeError
from pipelines.compile import COMPILED
from pipelines.schedule import MARK, read, schedule

Runs = dict[str, dict[str, Any]]


@pytest.fixture
def kubeflow() -> Iterator[tuple[str, Runs]]:
    """A server's address, and the recurring runs that it holds, by id; it lists two at a time."""
    runs: Runs = {}
    numbers = itertools.count()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, told: Any) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            where = urllib.parse.urlsplit(self.path)
            asked = dict(urllib.parse.parse_qsl(where.query))
            if not where.path.endswith("recurringruns"):
                return self.answer({"experiment_id": "e-1", "display_name": "cuvee", "namespace": "team"})
            start = int(asked.get("page_token") or 0)
            more = {"next_page_token": str(start + 2)} if start + 2 < len(runs) else {}
            return self.answer({"recurringRuns": list(runs.values())[start : start + 2]} | more)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
            if not self.path.endswith("recurringruns"):
                return self.answer({"experiment_id": "e-1", "display_name": "cuvee"})
            body["recurring_run_id"] = f"r-{next(numbers)}"
            runs[body["recurring_run_id"]] = body
            return self.answer(body)

        def do_DELETE(self) -> None:
            del runs[urllib.parse.unquote(self.path.rpartition("/")[2])]
            self.answer({})

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", runs
        server.shutdown()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("train_and_deploy", "batch_recommend"):
        shutil.copy(COMPILED / f"{name}.yaml", tmp_path)
    return write(tmp_path / "schedules.yaml", {"learn": "0 0 3 * * *", "lists": "0 0 6 * * *"})


def write(path: Path, crons: dict[str, str], **more: Any) -> Path:
    compiled = {"learn": "train_and_deploy.yaml", "lists": "batch_recommend.yaml"}
    told = {name: {"compiled": compiled[name], "cron": cron} | more for name, cron in crons.items()}
    path.write_text(yaml.safe_dump({"recurring": told}))
    return path


def test_what_the_file_says_is_made_once(kubeflow: tuple[str, Runs], file: Path) -> None:
    url, runs = kubeflow
    assert schedule(url, "team", file) == ["learn: made", "lists: made"]
    assert {run["display_name"]: run["trigger"]["cron_schedule"]["cron"] for run in runs.values()} == {
        "learn": "0 0 3 * * *", "lists": "0 0 6 * * *",
    }  # fmt: skip
    one = next(iter(runs.values()))
    assert (one["max_concurrency"], one["no_catchup"], one["service_account"]) == (1, True, "cuvee-pipeline")
    assert one["pipeline_spec"]
    before = dict(runs)
    assert schedule(url, "team", file) == ["learn: kept", "lists: kept"]
    assert runs == before


def test_a_change_replaces_and_what_is_gone_from_the_file_ends(kubeflow: tuple[str, Runs], file: Path) -> None:
    url, runs = kubeflow
    runs["theirs"] = {"recurring_run_id": "theirs", "display_name": "learn", "description": "somebody's own"}
    schedule(url, "team", file)
    assert schedule(url, "team", write(file, {"learn": "0 0 4 * * *"})) == ["learn: replaced", "lists: ended"]
    ours = [run for run in runs.values() if run["description"].startswith(MARK)]
    assert [run["trigger"]["cron_schedule"]["cron"] for run in ours] == ["0 0 4 * * *"]
    assert "theirs" in runs
    with (file.parent / "train_and_deploy.yaml").open("a") as handle:
        handle.write("# compiled anew\n")
    assert schedule(url, "team", file) == ["learn: replaced"]
    assert schedule(url, "team", write(file, {"learn": "0 0 4 * * *"}, arguments={"store": "/other"})) == [
        "learn: replaced"
    ]
    assert len(runs) == 2


def test_the_example_of_the_page_is_taken(kubeflow: tuple[str, Runs], file: Path) -> None:
    page = (COMPILED.parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
    example = next(part for part in page.split("```yaml\n")[1:] if part.startswith("recurring:")).partition("```")[0]
    file.write_text(example.replace("compiled/", ""))
    assert schedule(kubeflow[0], "team", file) == ["learn: made", "lists: made"]


def test_one_that_is_there_twice_stays_once(kubeflow: tuple[str, Runs], file: Path) -> None:
    url, runs = kubeflow
    schedule(url, "team", write(file, {"learn": "0 0 3 * * *"}))
    runs["again"] = next(iter(runs.values())) | {"recurring_run_id": "again"}
    assert schedule(url, "team", file) == ["learn: kept"]
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"recurring": {"a": {"compiled": "train_and_deploy.yaml", "cron": "daily"}}}, "six fields"),
        ({"recurring": {"a": {"compiled": "gone.yaml", "cron": "0 0 3 * * *"}}}, "cuvee compile"),
        ({"recurring": {"a": {"compiled": "gone.yaml", "crom": "0 0 3 * * *"}}}, r"recurring\.a\.c"),
        (
            {
                "recurring": {
                    "a": {"compiled": "batch_recommend.yaml", "cron": "0 0 3 * * *", "arguments": {"out": "x"}}
                }
            },
            "no parameter 'out'; it has as_of, k, store",
        ),
        ({"recuring": {}}, "recur"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(
    kubeflow: tuple[str, Runs], file: Path, told: dict[str, Any], said: str
) -> None:
    url, runs = kubeflow
    schedule(url, "team", file)
    before = dict(runs)
    file.write_text(yaml.safe_dump(told))
    with pytest.raises(ConfigError, match=said):
        schedule(url, "team", file)
    assert runs == before


def test_a_server_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(CuveeError, match="cannot be reached"):
        schedule("http://127.0.0.1:9", "team", file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(file.parent / "gone.yaml")
