"""What the serving benchmarks compute and tell; the figures themselves come from `make bench-serving`."""

import asyncio
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from http_calls import V1, send
from small_release import live_store, run_folder

from benchmarks.serving import faults, features, load, overload, retrieval, servers, throughput
from components.common.errors import CuveeError
from serving.current import current_release


def test_by_hand_what_was_told_is_counted_and_ranked() -> None:
    told = load.Told([(0.0, 200, 0.001 * number) for number in range(1, 101)] + [(0.0, 429, 9.0), (0.0, 0, 5.0)])
    assert told.counts() == {"200": 100, "429": 1, "0": 1}
    assert told.percentile(0.5) == pytest.approx(51)
    assert told.percentile(0.99) == pytest.approx(100)
    assert told.percentile(0.5, status=429) == pytest.approx(9000)


def test_broken_connections_and_errors_count_as_failed_and_what_is_shed_does_not() -> None:
    told = load.Told([(0.0, status, 0.1) for status in (200, 200, 429, 503, 0)])
    assert faults._told(told)["failed"] == 2


def test_the_client_asks_one_after_another_and_keeps_every_status() -> None:
    async def asked() -> tuple[load.Told, int, int]:
        served = lacking = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal served, lacking
            while not reader.at_eof():
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    break
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
                served += 1
                if served % 10 == 0:
                    break  # without a word
                status = b"200 OK" if served % 3 else b"429 Too Many Requests"
                body = b'{"degraded":["features"]}' if served % 7 == 0 else b'{"degraded":[]}'
                lacking += status == b"200 OK" and served % 7 == 0
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        told = await load.ask(f"http://127.0.0.1:{port}", 3, 0.5, 0.005)
        server.close()
        return told, served, lacking

    told, served, lacking = asyncio.run(asked())
    assert len(told.asked) == served
    assert set(told.counts()) == {"200", "429", "0"}
    assert told.counts()["0"] == served // 10
    assert told.lacking == lacking > 0


def test_the_ratio_of_a_run_is_taken_within_its_repetition() -> None:
    runs = {"a": {1: [{"x": 10.0}, {"x": 30.0}, {"x": 2.0}]}, "b": {1: [{"x": 5.0}, {"x": 10.0}, {"x": 2.0}]}}
    assert throughput.ratio(runs, "a", "b", 1, "x") == 2.0


def test_without_wrk_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CuveeError, match="wrk is not installed"):
        load.wrk("http://127.0.0.1:1", 1, 1, tmp_path)


def test_features_of_the_release_are_those_of_feast_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "ITEMS", 10)
    monkeypatch.setattr(features, "FEAST_REPETITIONS", 2)
    monkeypatch.setattr(features, "USERS", 5)
    found = features.measure(live_store(run_folder(tmp_path_factory)), tmp_path_factory.getbasetemp())
    assert (found["differ"], found["cells"]) == (0, 30)
    assert found["user"]["users"] == 5
    assert features._differ([1.0, float("nan"), 2.0], [1.0, None, 2.1]) == 1


def test_what_one_writes_first_answers_with_feasts_numbers(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    store = live_store(run_folder(tmp_path_factory))
    items = pd.read_parquet(current_release(store) / "catalogue.parquet").set_index("item_id")  # type: ignore[operator]
    with servers.naive(store, tmp_path / "naive.log") as (url, _):
        body = {"instances": [{"scenario": "recommend", "user_id": "u07", "k": 4}]}
        status, answer = send(url, V1, json.dumps(body))
    (told,) = answer["predictions"]
    assert (status, len(told["items"])) == (200, 4)
    assert [one["score"] for one in told["items"]] == sorted((one["score"] for one in told["items"]), reverse=True)
    prices = items["price"].astype("float32")
    assert [one["price"] for one in told["items"]] == [float(prices[one["item_id"]]) for one in told["items"]]


def test_a_refusal_is_asked_but_not_answered() -> None:
    assert load.rates({"requests": 100, "bad": 40, "us": 2e6}) == {"per_s": 30.0, "asked_per_s": 50.0}


def test_the_hundred_best_are_found_and_told(tmp_path: Path) -> None:
    told = retrieval.measure(tmp_path, tmp_path, sizes=[5_000], asked=40)
    found = told["shops"]["5,000"]
    assert found["recall"] >= 0.99
    assert min(found["us"].values()) > 0
    assert f"{found['recall']:.1%} found by the index" in retrieval.tell(told)[0]


def test_what_is_told_of_overload_names_every_figure() -> None:
    part = {"statuses": {"200": 5}, "lacking": 2, "p50_ms": 1.0, "p99_ms": 2.0, "seconds": 3.0}
    rates = {"asked_per_s": 36.0, "answered_per_s": 8.0}
    found = {"capacity_per_s": 9.0, "steady": part | {"per_s": 4.0}, "recovery_s": 0.5,
             "flood": part | rates | {"connections": 512, "rss_growth_mb": 1.0}}  # fmt: skip
    told = overload.tell(found)
    assert told[1].startswith(
        "512 connections for 3 s: 36/s asked, 8/s answered; seen by a client of its own: {'200': 5}, 2 without a part"
    )
    assert "Recovered 0.5 s after" in told
