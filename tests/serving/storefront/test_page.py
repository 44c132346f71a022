"""The page's routes on the real server: its files, its headers, what it asks; and that the others stay as they are."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from http_calls import send

from serving.instances import MAX_K
from serving.storefront.page import STATIC, TYPES

HTML = {"Accept": "text/html,application/xhtml+xml"}


def get(url: str, headers: dict[str, str] | None = None) -> Any:
    """The answer to a GET, redirects followed; an error's answer as well."""
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10)
    except urllib.error.HTTPError as error:
        return error


def items(url: str, ids: object) -> Any:
    return send(url, "/storefront/items", json.dumps({"item_ids": ids}))[1]["items"]


def test_a_browser_is_led_to_the_page_and_everyone_else_gets_kserve_s_answer(bazaar_url: str, url: str) -> None:
    found = get(f"{bazaar_url}/", HTML)
    assert found.url == f"{bazaar_url}/storefront/"
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert get(f"{bazaar_url}/storefront").url == f"{bazaar_url}/storefront/"
    plain, other = get(f"{bazaar_url}/"), get(f"{url}/")
    assert plain.read() == other.read() == b'{"status":"alive"}'


def test_a_server_without_the_page_has_none_of_it(url: str) -> None:
    assert get(f"{url}/", HTML).read() == b'{"status":"alive"}'
    for path in ("/storefront/", "/storefront/about", "/storefront/page.js"):
        assert get(url + path).status == 404


@pytest.mark.parametrize("name", ["", *sorted(path.name for path in STATIC.iterdir())])
def test_every_file_is_served_with_the_headers_that_bind_a_browser(bazaar_url: str, name: str) -> None:
    found = get(f"{bazaar_url}/storefront/{name}")
    policy = found.headers["Content-Security-Policy"]
    assert found.status == 200
    assert found.headers["Content-Type"] in TYPES.values()
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http" not in policy
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Referrer-Policy"] == "no-referrer"


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
        assert "innerHTML" not in text, path.name
        assert "<script>" not in text, path.name
        assert "style=" not in text, path.name


@pytest.mark.parametrize(
    "path",
    ["x", "../page.py", "..%2fpage.py", "%2e%2e/page.py", "static/page.js", "photos/", "photos/nobody",
     "photos/..%2f..%2fitems.parquet", "photos/%00", "photos/i000000/x"],
)  # fmt: skip
def test_other_files_are_not_there(bazaar_url: str, path: str) -> None:
    found = get(f"{bazaar_url}/storefront/{path}")
    assert found.status == 404
    assert set(json.loads(found.read())) == {"error", "id"}


def test_it_says_what_can_be_asked_and_by_whom(bazaar_url: str) -> None:
    about = json.loads(get(f"{bazaar_url}/storefront/about").read())
    assert about["scenarios"]["search"] == ["image", "lexical", "popularity", "tfidf"]
    assert set(about["scenarios"]) == {"recommend", "search", "similar", "bundle", "campaign", "ads"}
    assert (about["currency"], about["items"], len(about["release"])) == ("EUR", 96, 64)
    assert about["users"][:2] == ["u0000000", "u0000001"]
    assert len(about["queries"]) > 10


def test_items_have_their_particulars_and_a_photo_where_there_is_one(bazaar_url: str) -> None:
    found = items(bazaar_url, [f"i{n:06}" for n in range(96)] + ["of another shop"])
    assert len(found) == 96
    assert found["i000001"]["title"] == "Brisko purple wavy glass Tide 7"
    assert found["i000001"]["price"] == 4.11
    assert found["i000001"]["available"] is True
    photos = {item: facts["photo"] for item, facts in found.items()}
    assert photos["i000007"] is None
    assert sum(photo is not None for photo in photos.values()) > 80
    photo = get(f"{bazaar_url}/storefront/{photos['i000001']}")
    assert photo.headers["Content-Type"] == "image/jpeg"
    assert photo.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert photo.read().startswith(b"\xff\xd8\xff")


def test_a_shop_that_keeps_its_folder_to_itself_has_no_photos(bazaar_url: str) -> None:
    assert get(f"{bazaar_url}/storefront/photos/i000007").status == 404


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"item_ids": "i000001"}', '{"item_ids": [5]}', '{"item_ids": [""]}',
             '{"item_ids": [], "more": 1}', json.dumps({"item_ids": ["x"] * (MAX_K + 1)}), '{"item_ids": ["\\ud800"]}'],
)  # fmt: skip
def test_a_body_that_asks_for_no_items_is_400(bazaar_url: str, body: str) -> None:
    status, answer = send(bazaar_url, "/storefront/items", body)
    assert status == 400
    assert "item_ids" in answer["error"]


def test_routes_take_the_methods_they_are_for(bazaar_url: str) -> None:
    assert get(f"{bazaar_url}/storefront/items").status in (404, 405)
    assert send(bazaar_url, "/storefront/about", "{}")[0] == 405
