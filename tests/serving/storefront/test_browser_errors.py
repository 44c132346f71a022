"""What the page says when something is missing, refused, slow or hostile."""

import base64

import pytest
from playwright.sync_api import Page, Route, expect
from storefront_page import SEARCH, drop, open_page, products, shown


def test_a_file_that_is_no_picture_is_said_so(page: Page, home: str) -> None:
    open_page(page, f"{home}{SEARCH}")
    drop(page, base64.b64encode(b"no picture").decode())
    expect(page.get_by_role("alert")).to_have_text("This file cannot be read as a picture. Try a JPEG or PNG.")
    assert len(shown(page)) == 12


@pytest.mark.parametrize(
    ("address", "words", "field"),
    [
        ("?scenario=search", "Fill in: Query. Or drop a picture.", "query"),
        ("?scenario=similar", "Fill in: Product id. Or drop a picture.", "item_id"),
        ("?scenario=bundle", "Fill in: Basket: product ids, separated by commas.", "item_ids"),
        ("?scenario=recommend&k=0", "How many: a whole number from 1 to 200.", "k"),
        ("?scenario=recommend&k=1e9", "How many: a whole number from 1 to 200.", "k"),
        ("?scenario=recommend&low=9&high=2", "Price from is above price to.", "low"),
    ],
)
def test_what_is_missing_is_said_before_the_server_is_asked(
    page: Page, home: str, address: str, words: str, field: str
) -> None:
    page.route("**/cuvee:predict", lambda _route: pytest.fail("the server was asked"))
    page.goto(f"{home}{address}&lang=en")
    expect(page.get_by_role("alert")).to_have_text(words)
    expect(page.locator(f"#{field}")).to_be_focused()
    expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")


def test_an_empty_slice_says_what_was_given_up(page: Page, home: str) -> None:
    open_page(page, f"{home}?scenario=search&query=purple&category=No%20such&lang=en")
    expect(page.locator("#notes")).to_have_text("Nothing fits the whole question. Given up: the category.")
    open_page(page, f"{home}?scenario=similar&item_id=nobody&lang=en")
    expect(page.locator("#notes")).to_contain_text("Answered without: an unknown product.")


@pytest.mark.parametrize("expected_errors", [["ERR_FAILED", "status of 400", "status of 500"]])
def test_errors_are_said_in_plain_words_and_heal(page: Page, home: str) -> None:
    open_page(page, home + SEARCH)
    alert, ask = page.get_by_role("alert"), page.get_by_role("button", name="Show products")
    page.route("**/cuvee:predict", lambda route: route.abort())
    ask.click()
    expect(alert).to_have_text("The server does not answer. Is it still running?")
    expect(products(page)).to_have_count(0)
    page.unroute("**/cuvee:predict")
    page.route("**/cuvee:predict", lambda route: route.fulfill(status=500, json={"error": "x", "id": "a1b2"}))
    ask.click()
    expect(alert).to_have_text("The server could not answer (a1b2). Its log has the reason.")
    page.unroute("**/cuvee:predict")
    page.goto(f"{home}?scenario=search&query=purple&w.nobody=2&lang=en")
    expect(alert).to_contain_text("The server did not take this: weights: no member 'nobody'")
    page.goto(home + SEARCH)
    expect(alert).to_be_hidden()
    assert len(shown(page)) == 12


def test_while_the_server_thinks_the_page_says_so(page: Page, home: str) -> None:
    open_page(page, home + SEARCH)
    held: list[Route] = []
    page.route("**/cuvee:predict", lambda route: held.append(route))
    page.get_by_role("button", name="Show products").click()
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("status")).to_have_text("Asking …")
    page.get_by_label("Query").fill("green")
    page.get_by_role("button", name="Show products").click()
    expect(page.get_by_role("status")).to_have_text("Asking …")
    while len(held) < 2:
        page.wait_for_timeout(20)
    held[1].continue_()
    expect(page.get_by_role("status")).to_contain_text("Search “green”")
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")


def test_what_a_title_says_is_never_run(page: Page, home: str) -> None:
    def poison(route: Route) -> None:
        answer = route.fetch().json()
        for facts in answer["items"].values():
            facts["title"] = facts["brand"] = '<img src=x onerror="window.hit=1"><b>bold</b>'
        route.fulfill(json=answer)

    page.route("**/storefront/items", poison)
    open_page(page, home + SEARCH)
    expect(products(page).first.locator("h3")).to_contain_text("<b>bold</b>")
    assert page.locator("#products b").count() == 0
    assert page.evaluate("window.hit") is None
