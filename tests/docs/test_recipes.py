"""Every request of docs/recipes is asked of a real server; the answers of the bazaar are compared, number by number."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_calls import V1, send

FOLDER = Path(__file__).parents[2] / "docs" / "recipes"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
OF_THE_BAZAAR, PLACED = ("recommend.md", "search.md", "similar.md"), ("campaign.md", "ads.md")
REQUEST = re.compile(r"^curl .*?-d '(\{.*?\})'$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r'^(\{"predictions":.*?\})\n```', re.MULTILINE | re.DOTALL)


def bodies(page: Path, form: re.Pattern[str]) -> list[Any]:
    return [json.loads(body) for body in form.findall(page.read_text(encoding="utf-8"))]


def told(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The requests of a page, each with the answer below it."""
    page = FOLDER / name
    return list(zip(bodies(page, REQUEST), bodies(page, ANSWER), strict=True))


def same(documented: Any, found: Any) -> bool:
    """Equal, but for what is written as an ellipsis and for digits that are rounded away."""
    if documented == "…":
        return isinstance(found, str)
    if isinstance(documented, dict):
        return set(documented) == set(found) and all(same(value, found[name]) for name, value in documented.items())
    if isinstance(documented, list):
        return len(documented) == len(found) and all(map(same, documented, found))
    if isinstance(documented, float):
        return bool(found == pytest.approx(documented, abs=0.00051))
    return bool(documented == found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_request_of_a_recipe_can_be_asked(bazaar_url: str, placed_url: str, page: Path) -> None:
    """Also those of pages whose answers come from a shop that is too long in the making."""
    assert bodies(page, REQUEST)
    for request in bodies(page, REQUEST):
        status, found = send(placed_url if page.name in PLACED else bazaar_url, V1, json.dumps(request))
        assert status == 200, found


@pytest.mark.parametrize("name", OF_THE_BAZAAR)
def test_the_bazaar_answers_as_its_recipes_say(bazaar_url: str, name: str) -> None:
    for request, documented in told(name):
        found = send(bazaar_url, V1, json.dumps(request))[1]
        assert same(documented, found), json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize("name", PLACED)
def test_a_shop_with_campaigns_answers_as_its_recipes_say(placed_url: str, name: str) -> None:
    for request, documented in told(name):
        found = send(placed_url, V1, json.dumps(request))[1]
        assert same(documented, found), json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize("name", [*OF_THE_BAZAAR, *PLACED])
def test_the_documented_parts_sum_to_the_documented_score(name: str) -> None:
    for request, documented in told(name):
        for prediction, instance in zip(documented["predictions"], request["instances"], strict=True):
            assert [item["position"] for item in prediction["items"]] == list(range(1, instance["k"] + 1))
            for item in prediction["items"]:
                if instance.get("explain"):
                    parts = item["why"].values()
                    assert sum(parts) == pytest.approx(item["score"], abs=0.0005 * (len(parts) + 1) + 1e-9)


def test_every_recipe_stands_in_the_list() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"({page.name})" not in index] == []
