"""Requests nobody would send: 2,000 of them here, CUVEE_FUZZ says otherwise (`make fuzz`: 20,000).

None may end in a 5xx, and no body may tell of the server's inside.
"""

import base64
import http.client
import json
import os
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from http_calls import JSON, LEAKS, V1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

V2 = "/v2/models/cuvee/infer"
ASKED = int(os.environ.get("CUVEE_FUZZ", "2000"))
TESTS = 4
TOLD = ("Traceback", 'File "', "site-packages", "/work", "/tmp", ".py")  # nor may an answer that is none of an error
SCHEMA = "/openapi.json"
fuzzed = settings(
    max_examples=max(1, ASKED // TESTS),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def mostly(good: st.SearchStrategy[Any], odd: st.SearchStrategy[Any] = junk) -> st.SearchStrategy[Any]:
    """Once in sixteen times something else."""
    return st.integers(0, 15).flatmap(lambda dice: good if dice else odd)


ids = mostly(
    st.sampled_from(["i00", "i07", "u07", "no such", "../../etc/passwd"]),
    st.sampled_from(["", "\ud800", "x" * 300]) | st.text(max_size=9),
)
words = mostly(
    st.sampled_from(["garden", "violin coffee", "'; DROP TABLE items; --", "無線耳機", "🎧"]),
    st.sampled_from([" ", "a" * 513]) | st.text(),
)
numbers = mostly(
    st.floats(0, 100),
    st.sampled_from([-1, 10**400, 1e308, -0.0, float("nan"), float("inf")]) | st.floats(),
)
photos = st.binary(max_size=60).map(lambda data: base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode())


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: mostly(value) for name, value in fields.items()})


SCENARIOS = ("recommend", "search", "similar", "bundle", "campaign", "ads")
ANCHORS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "search": {"query": words},
    "similar": {"item_id": ids},
    "bundle": {"item_ids": st.lists(ids, max_size=4)},
}
filters = some(category=ids, brand=ids, price=st.tuples(numbers, st.just(1e6)), available=st.booleans())
context = some(new_only=st.booleans())
viewing = some(viewed=st.lists(ids, max_size=4))
free = {
    "user_id": ids, "explain": st.booleans(), "filters": filters, "context": context,
    "k": mostly(st.integers(1, 200), numbers | st.sampled_from([0, 201, 10**30])),
    "weights": st.dictionaries(mostly(st.sampled_from(["item_knn", "popularity"]), ids), numbers, max_size=2),
}  # fmt: skip


def of(scenario: str) -> st.SearchStrategy[dict[str, Any]]:
    """Near to a question of this scenario."""
    asked = {
        "scenario": st.just(scenario),
        **{name: mostly(value) for name, value in ANCHORS.get(scenario, {}).items()},
    }
    return st.tuples(st.fixed_dictionaries(asked), some(**free)).map(lambda both: {**both[1], **both[0]})


wild = some(scenario=st.sampled_from(SCENARIOS), query=words, item_id=ids, campaign_id=ids, image_b64=photos, **free)
wild = wild | some(scenario=st.just("recommend"), context=viewing)
SERVED = ("recommend", "search", "similar", "bundle")  # by the small release
instances = mostly(st.sampled_from(SERVED).flatmap(of), wild | junk)
batches = mostly(st.lists(instances, min_size=1, max_size=3))
tensors = some(
    name=st.sampled_from(["instances", "x"]),
    shape=st.lists(st.integers(-1, 3), max_size=2),
    datatype=st.sampled_from(["BYTES", "BYTES", "FP16", "INT64"]),
    data=st.lists(instances.map(json.dumps) | junk, max_size=3),
    parameters=some(binary_data_size=numbers),
)
whole = st.lists(instances.map(json.dumps), min_size=1, max_size=3).map(
    lambda data: [{"name": "instances", "shape": [len(data)], "datatype": "BYTES", "data": data}]
)
kinds = st.sampled_from([
    "application/json", "Application/JSON; charset=utf-16", "text/plain", "application/octet-stream",
    "application/cloudevents+json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
])  # fmt: skip
headers = st.fixed_dictionaries(
    {"Content-Type": kinds},
    optional={
        "Content-Encoding": st.sampled_from(["gzip", "identity", "br"]),
        "Inference-Header-Content-Length": st.sampled_from(["0", "5", "-1", "x", "9" * 30]),
        "ce-specversion": st.just("1.0"),
        "ce-id": st.just("1"),
        "Accept": st.sampled_from(["text/html", "*/*"]),
        "X-Request-Id": st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    },
)
texts = st.sampled_from([
    b"", b"{", b"null", b"NaN", b"[" * 9000, b'{"a":' * 4000, b"9" * 4500, b"1e400", b"\xff\xfe", b"\x00" * 9,
    b'{"instances": [{"scenario": "recommend", "scenario": "search", "k": 1e400}]}',
    b'{"instances": [{"scenario": "recommend", "scenario": "recommend"}], "instances": []}',
    b'{"inputs": [], "inputs": [{}]}', b'\xef\xbb\xbf{"instances": []}', b'"\\ud800"', b'{"instances": [-0, 1E+2]}',
])  # fmt: skip


@pytest.fixture(scope="module")
def caller(url: str) -> Iterator["Caller"]:
    caller = Caller(url)
    yield caller
    assert min(caller.told[200], caller.told[400]) >= sum(caller.told.values()) / 20  # else this asked nothing
    assert caller.ask("GET", "/v2/health/ready", None, {})[0] == 200
    assert caller.ask("POST", V1, json.dumps({"instances": [{"scenario": "recommend"}]}), JSON)[0] == 200


class Caller:
    """One connection, kept open where the server keeps it."""

    def __init__(self, url: str) -> None:
        self.told: Counter[int] = Counter()
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)

    def ask(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> tuple[int, str]:
        """Status and body, held to what every answer must keep."""
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            text = response.read().decode()
        except BaseException:
            self._connection.close()  # what follows begins anew
            raise
        self.told[response.status] += 1
        assert response.status < 500, (method, path, body, text)
        if response.status >= 400:
            assert not [leak for leak in LEAKS if leak in text], text
            assert method == "HEAD" or set(json.loads(text)) == {"error", "id"}, text
        elif path != SCHEMA:
            assert not [leak for leak in TOLD if leak in text], text
        return response.status, text


@fuzzed
@given(batches)
def test_v1_of_anything(caller: Caller, batch: object) -> None:
    caller.ask("POST", V1, json.dumps({"instances": batch}), JSON)


@fuzzed
@given(
    mostly(whole | st.lists(tensors, max_size=2)), some(id=ids, outputs=junk, parameters=some(binary_data_output=junk))
)
def test_v2_of_anything(caller: Caller, inputs: object, beside: dict[str, object]) -> None:
    caller.ask("POST", V2, json.dumps({"inputs": inputs, **beside}), JSON)


@fuzzed
@given(st.sampled_from([V1, V2]), texts | st.binary(max_size=200) | junk.map(json.dumps).map(str.encode), headers)
def test_any_bytes_under_any_headers(caller: Caller, path: str, body: bytes, sent: dict[str, str]) -> None:
    caller.ask("POST", path, body, sent)


@pytest.fixture(scope="module")
def routes(caller: Caller) -> list[str]:
    """Every path of the OpenAPI schema, and some beside it."""
    paths = list(json.loads(caller.ask("GET", SCHEMA, None, {})[1])["paths"])
    assert {"/v1/models/{model_name}:predict", "/v2/models/{model_name}/infer"} <= set(paths)
    return [
        *paths,
        SCHEMA,
        "/docs",
        "/redoc",
        "/v2/models/{model_name}/versions/{version}/infer",
        "/openai/v1/completions",
    ]


@fuzzed
@given(st.data())
def test_every_route_by_every_method(caller: Caller, routes: list[str], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(routes))
    name = data.draw(st.sampled_from(["cuvee", "cuvee", "other", "..", "%00"]) | st.text(max_size=8))
    path = path.replace("{model_name}", urllib.parse.quote(name.encode("utf-8", "replace"), safe="")).replace(
        "{version}", "1"
    )
    query = data.draw(st.sampled_from(["", "", "?a=1", "?" + "x" * 500]))
    method = data.draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]))
    body = data.draw(st.none() | junk.map(json.dumps) | batches.map(lambda one: json.dumps({"instances": one})))
    caller.ask(method, path + query, body, data.draw(headers))
