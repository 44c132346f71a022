"""Bundles, campaigns and ads over HTTP, V1 and V2, of a real server on a release that has them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_calls import V1, send
from placed_release import placed_release

from components.deploy.trial import ask_v1, ask_v2, running_server
from serving.ads import EVERY, RESERVE
from serving.release import verify


@pytest.fixture(scope="module")
def url(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real server."""
    root = tmp_path_factory.mktemp("placed")
    release = placed_release(root)
    assert {"campaigns.parquet", "clicks.json", "audience.json"} <= set(verify(release).files)
    with running_server(release, store, root / "server.log") as served:
        yield served


def same(url: str, **instance: Any) -> dict[str, Any]:
    """The V1 answer, which V2 must give too."""
    first, second = ask_v1(url, instance), ask_v2(url, instance)
    names = first.keys() - {"request_id"}
    assert {name: first[name] for name in names} == {name: second[name] for name in names}
    return first


def test_a_bundle(url: str) -> None:
    answer = same(url, scenario="bundle", item_ids=["i00", "i03"], k=3, explain=True)
    assert len(answer["items"]) == 3
    assert not {item["item_id"] for item in answer["items"]} & {"i00", "i03"}


def test_a_campaign_for_a_user_holds_its_items_only(url: str) -> None:
    answer = same(url, scenario="campaign", user_id="u07", k=10, explain=True)
    assert 0 < len(answer["items"]) <= 5
    for item in answer["items"]:
        assert item["campaign_ids"] == ["spring"]
        assert sum(item["why"].values()) == pytest.approx(item["score"])
    assert same(url, scenario="campaign", user_id="u07", campaign_id="autumn")["degraded"] == ["unknown_campaign"]


def test_users_for_a_campaign_that_names_none(url: str) -> None:
    answer = same(url, scenario="campaign", campaign_id="spring")
    assert (answer["users"], answer["items"], answer["degraded"]) == ([], [], ["no_users"])


def test_ads_stand_between_results_and_say_their_price(url: str) -> None:
    answer = same(url, scenario="ads", user_id="u05", k=8, explain=True)
    marked = [item["position"] for item in answer["items"] if "ad" in item]
    assert marked == [EVERY + 1]
    ad = answer["items"][EVERY]["ad"]
    assert ad == {"campaign_id": "pays more", "bid": 0.6, "charge": 0.5, "click": 0.1}
    assert RESERVE < ad["charge"] <= ad["bid"]
    assert len({item["item_id"] for item in answer["items"]}) == len(answer["items"])


def test_what_is_missing_is_named(url: str) -> None:
    for instance, told in (
        ({"scenario": "campaign"}, "needs 'user_id', 'campaign_id' or both"),
        ({"scenario": "ads"}, "needs 'user_id' or 'query'"),
        ({"scenario": "recommend", "campaign_id": "spring"}, "belongs to scenario 'campaign'"),
    ):
        status, answer = send(url, V1, json.dumps({"instances": [instance]}))
        assert status == 400
        assert told in answer["error"]
