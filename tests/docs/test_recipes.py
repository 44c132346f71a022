"""Every request of docs/recipes is asked of a real server; the answers of the bazaar are compared, number by number."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from http_calls import V1, send

FOLDER = Path(__file__).parents[2] / "docs" / "recipes"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
OF_THE_BAZAAR = ("recommend.md", "search.md", "similar.md")
REQUEST = re.compile(r"^curl .*?-d '(\{.*?\})'$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r'^(\{"predictions":.*?\})\n```', re.MULTILINE | re.DOTALL)


def told(page: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The requests of a page, each with the answer below it."""
    text = page.read_text(encoding="utf-8")
    requests, answers = ([json.loads(body) for body in form.findall(text)] for form in (REQUEST, ANSWER))
    return list(zip(requests, answers, strict=True))


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
def test_every_request_of_a_recipe_is_answered_as_it_says(bazaar_url: str, page: Path) -> None:
    pairs = told(page)
    assert pairs
    for request, documented in pairs:
        status, found = send(bazaar_url, V1, json.dumps(request))
        assert status == 200, found
        if page.name in OF_THE_BAZAAR:
            assert same(documented, found), json.dumps(found, ensure_ascii=False)
        else:
            for one, other in zip(documented["predictions"], found["predictions"], strict=True):
                assert set(one) == set(other)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_documented_parts_sum_to_the_documented_score(page: Path) -> None:
    for request, documented in told(page):
        for prediction, instance in zip(documented["predictions"], request["instances"], strict=True):
            assert [item["position"] for item in prediction["items"]] == list(range(1, instance["k"] + 1))
            for item in prediction["items"]:
                if instance.get("explain"):
                    parts = item["why"].values()
                    assert sum(parts) == pytest.approx(item["score"], abs=0.0005 * (len(parts) + 1) + 1e-9)


def test_every_recipe_stands_in_the_list() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"({page.name})" not in index] == []
