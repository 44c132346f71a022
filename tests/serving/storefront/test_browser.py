"""What a person does with the page, in a real Chromium on a real server."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from bazaar_release import PROMOTED
from PIL import Image
from playwright.sync_api import Page, Route, expect
from storefront_page import QUESTIONS, SEARCH, drop, number, open_page, picture, products, shown, wait_until

from components.deploy.trial import ask_v1
from serving.instances import MAX_PHOTO_BYTES

ASKED: dict[str, dict[str, Any]] = {
    "recommend": {"user_id": "u0000004"},
    "search": {"query": "purple glass"},
    "similar": {"item_id": "i000001"},
    "bundle": {"item_ids": ["i000001", "i000007"]},
    "campaign": {"user_id": "u0000004"},
    "ads": {"user_id": "u0000011"},
}


def test_a_search_shows_what_the_server_answers(page: Page, home: str, bazaar_url: str) -> None:
    page.goto(home)
    page.get_by_label("Search", exact=True).check()
    page.get_by_label("Query").fill("purple glass")
    page.get_by_label("Query").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Search “purple glass”: 12 products")
    expected = ask_v1(bazaar_url, {"scenario": "search", "query": "purple glass", "k": 12})["items"]
    assert shown(page) == [item["item_id"] for item in expected]
    best = products(page).first
    expect(best).to_contain_text("Brisko purple wavy glass Tide 7")
    expect(best).to_contain_text("Brisko · Kitchen > Drinkware > Glass")
    expect(best).to_contain_text("€4.11")
    wait_until(page, "[...document.images].filter((i) => i.src).some((i) => i.naturalWidth === 96)")
    assert "scenario=search" in page.url
    assert "query=purple+glass" in page.url


def test_an_item_without_a_photo_has_a_drawing_of_its_title(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=search&query=purple&k=96&lang=en")
    card = page.locator("li[data-id=i000007]")
    expect(card.locator("svg.drawing text")).to_have_text(re.compile(r"\S"))
    expect(card.locator("img")).to_have_count(0)


@pytest.mark.parametrize("scenario", QUESTIONS)
def test_why_lists_every_part_and_they_sum_to_the_score(page: Page, home: str, bazaar_url: str, scenario: str) -> None:
    open_page(page, f"{home}{QUESTIONS[scenario]}&k=5&lang=en")
    page.get_by_role("button", name="Show all reasons").click()
    asked: dict[str, Any] = {"scenario": scenario, "k": 5, "explain": True} | ASKED[scenario]
    answer = ask_v1(bazaar_url, asked)["items"]
    for item, card in zip(answer, products(page).all(), strict=True):
        rows = card.locator("tbody tr")
        expect(rows.first).to_be_visible()
        said = {str(row.get_attribute("data-part")): number(row.locator(".number").inner_text()) for row in rows.all()}
        assert said == {name: pytest.approx(value, abs=0.0006) for name, value in item["why"].items()}
        total = number(card.locator("tfoot .number").inner_text())
        assert total == pytest.approx(sum(said.values()), abs=0.001 * len(said))
        assert total == pytest.approx(item["score"], abs=0.0006)
        widths = [row.locator(".bar").evaluate("(bar) => bar.getBoundingClientRect().width") for row in rows.all()]
        assert widths == sorted(widths, reverse=True)


def test_a_weight_moved_asks_the_server_and_says_who_moved(page: Page, home: str, bazaar_url: str) -> None:
    open_page(page, home + SEARCH)
    plain = shown(page)
    page.get_by_text("Move the weights").click()
    slider = page.get_by_label("lexical", exact=True)
    slider.focus()
    with page.expect_response("**/cuvee:predict"):
        page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0.0 times")
    expect(products(page).first.locator(".moved")).to_be_visible()
    asked = {"scenario": "search", "query": "purple glass", "k": 12, "weights": {"lexical": 0.0}}
    moved = [item["item_id"] for item in ask_v1(bazaar_url, asked)["items"]]
    assert shown(page) == moved != plain
    full = ask_v1(bazaar_url, asked | {"k": 200, "weights": {}})["items"]
    before = {item["item_id"]: item["position"] for item in full}
    for place, card in enumerate(products(page).all(), start=1):
        was = before[moved[place - 1]]
        words = "unmoved" if was == place else f"{'up' if was > place else 'down'} {abs(was - place)}, was {was}"
        expect(card.locator(".moved")).to_contain_text(words)
    assert "w.lexical=0" in page.url
    page.reload()
    assert shown(page) == moved
    expect(slider).to_have_value("0")
    page.get_by_role("button", name="Back to the learned weights").click()
    expect(products(page).first.locator(".moved")).to_have_count(0)
    assert shown(page) == plain
    assert "w.lexical" not in page.url


def test_a_picture_that_is_dropped_finds_what_it_shows(page: Page, home: str, bazaar: Path) -> None:
    open_page(page, f"{home}?scenario=similar&item_id=i000001&lang=en")
    content = (bazaar.parent / "shop" / "media" / "image" / "i000019.jpg").read_bytes()
    drop(page, base64.b64encode(content).decode())
    expect(page.get_by_role("status")).to_contain_text("Like a product “the picture”")
    assert shown(page)[0] == "i000019"
    expect(page.locator("#notes")).to_be_hidden()
    page.get_by_role("button", name="Show all reasons").click()
    expect(products(page).first.locator("tbody tr").first).to_have_attribute("data-part", "image")


def test_a_picture_too_large_is_made_small_before_it_is_sent(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=search&query=glass&lang=en")
    with page.expect_response("**/cuvee:predict") as response:
        drop(page, picture(1000), "holiday.png")
    sent = json.loads(response.value.request.post_data or "")["instances"][0]
    content = base64.b64decode(sent["image_b64"], validate=True)
    assert (sent["scenario"], sent["query"]) == ("search", "glass")
    assert len(content) <= MAX_PHOTO_BYTES
    assert Image.open(io.BytesIO(content)).format == "JPEG"
    assert max(Image.open(io.BytesIO(content)).size) <= 512
    assert response.value.ok
    expect(page.locator("#picture-note")).to_contain_text("holiday.png")
    expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Remove the picture").click()
    expect(page.locator("#preview")).to_be_hidden()


@pytest.mark.parametrize("expected_errors", [["status of 400"]])
def test_what_the_server_says_of_a_picture_is_shown_as_it_says_it(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=similar&lang=en&item_id=i000001")
    drop(page, picture(40))
    expect(page.get_by_role("status")).to_contain_text("the picture")
    page.locator("#item_id").fill("i000001")
    page.get_by_role("button", name="Show products").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The server did not take this: scenario 'similar' takes 'item_id' or 'image_b64', not both"
    )


def test_a_picture_for_a_scenario_without_one_asks_for_what_is_like_it(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=recommend&lang=en")
    drop(page, picture(40))
    expect(page.get_by_label("Like a product")).to_be_checked()
    expect(page.get_by_role("status")).to_contain_text("Like a product “the picture”")


def test_the_address_says_everything_and_back_goes_back(page: Page, home: str) -> None:
    address = f"{home}?scenario=search&query=purple&k=3&category=Kitchen&low=2&high=50&available=true&lang=en"
    open_page(page, address)
    assert len(shown(page)) == 3
    first = shown(page)
    assert page.get_by_label("Price to").input_value() == "50"
    products(page).first.get_by_role("link", name="With this").click()
    expect(page.get_by_role("status")).to_contain_text("With a basket")
    expect(page.locator("#item_ids")).to_have_value(first[0])
    products(page).first.get_by_role("link", name="With this").click()
    expect(page.locator("#item_ids")).to_have_value(re.compile(rf"{first[0]},i\d+"))
    page.go_back()
    page.go_back()
    expect(page.get_by_role("status")).to_contain_text("Search “purple”")
    assert shown(page) == first
    expect(page.get_by_label("Category")).to_have_value("Kitchen")


def test_users_and_queries_of_the_shop_can_be_picked(page: Page, home: str) -> None:
    open_page(page, home)
    assert page.locator("#users option").first.get_attribute("value") == "u0000000"
    assert page.locator("#queries option").count() > 10
    page.get_by_label("User (empty").fill("u0000004")
    page.get_by_label("Which products").select_option("true")
    with page.expect_response("**/cuvee:predict") as response:
        page.get_by_role("button", name="Show products").click()
    asked = json.loads(response.value.request.post_data or "")["instances"][0]
    assert (asked["user_id"], asked["context"]) == ("u0000004", {"new_only": True})


def test_ads_stand_between_and_are_labelled(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=ads&user_id=u0000009&k=12&lang=en")
    ads = [place for place, card in enumerate(products(page).all(), 1) if card.locator(".label.ad").count()]
    assert ads == [6, 12]
    expect(page.locator(".label.ad").first).to_have_text(re.compile("^Ad: ad-000"))
    products(page).nth(5).locator("summary").click()
    expect(products(page).nth(5).locator("tbody")).to_contain_text("expected clicks × bid")


def test_the_items_of_a_campaign_name_it_and_its_users_can_be_listed(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=campaign&user_id=u0000009&lang=en")
    labels = page.locator("#products .label.campaign")
    assert labels.count() == products(page).count() == len(PROMOTED)
    expect(labels.first).to_have_text("Campaign: new-year")

    def with_users(route: Route) -> None:
        answer = route.fetch().json()
        answer["predictions"][0] |= {"items": [], "users": [{"user_id": "85d909cd", "score": 0.612, "position": 1}]}
        route.fulfill(json=answer)

    page.route("**/cuvee:predict", with_users)
    page.get_by_role("button", name="Show products").click()
    expect(page.get_by_role("status")).to_contain_text("In campaigns “u0000009”: 1 users")
    expect(products(page)).to_have_text(re.compile("User 85d909cd.*score 0.612"))
