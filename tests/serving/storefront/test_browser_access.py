"""The page by keyboard, on a phone, in Chinese, and read out."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from storefront_page import QUESTIONS, SEARCH, open_page, products, wait_until

FOCUS = """() => {
  const held = document.activeElement;
  const drawn = getComputedStyle(held.matches(".drop input") ? held.nextElementSibling : held);
  const outline = drawn.outlineStyle !== "none" && parseFloat(drawn.outlineWidth) >= 2;
  return [held.id || held.value || held.textContent.trim(), outline];
}"""
BEYOND = """(width) => [...document.querySelectorAll("main *")]
  .filter((part) => part.checkVisibility() && !part.closest("caption"))
  .filter((part) => part.getBoundingClientRect().right > width + 1)
  .map((part) => part.outerHTML.slice(0, 80))"""


def focused(page: Page) -> str:
    """What has the focus: its id, else its role's text; with a visible outline."""
    name, outline = page.evaluate(FOCUS)
    assert outline, f"no visible focus on {name}"
    return str(name)


def tab_to(page: Page, name: str, limit: int = 25) -> None:
    passed = []
    for _ in range(limit):
        page.keyboard.press("Tab")
        passed.append(focused(page))
        if passed[-1].startswith(name):
            return
    raise AssertionError(f"{name!r} cannot be reached: {passed}")


def test_everything_is_done_by_keyboard_alone(page: Page, home: str) -> None:
    open_page(page, f"{home}?lang=en")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the products"
    tab_to(page, "language")
    tab_to(page, "recommend")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "search"
    tab_to(page, "query")
    page.keyboard.type("purple glass")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Search “purple glass”")
    tab_to(page, "file")
    tab_to(page, "Filters")
    page.keyboard.press("Enter")
    tab_to(page, "available")
    page.keyboard.press("Space")
    tab_to(page, "ask")
    with page.expect_response("**/cuvee:predict") as response:
        page.keyboard.press("Enter")
    assert json.loads(response.value.request.post_data or "")["instances"][0]["filters"] == {"available": True}
    tab_to(page, "weights-title")
    page.keyboard.press("Enter")
    tab_to(page, "weight-tfidf")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#products .moved").first).to_be_visible()
    assert focused(page) == "weight-tfidf"
    tab_to(page, "Why: score")
    page.keyboard.press("Enter")
    expect(products(page).first.locator("tbody tr").first).to_be_visible()
    tab_to(page, "Like this")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Like a product “i000001”")
    assert page.evaluate("document.activeElement.id") == "results"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_needs_no_sideways_scrolling(page: Page, home: str, width: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    for question in QUESTIONS.values():
        open_page(page, f"{home}{question}&w.popularity=2&lang={language}")
        page.locator("#reasons").click()
        page.locator("#filters summary").click()
        expect(products(page).first.locator("tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(BEYOND, width) == []


def test_the_page_speaks_chinese(page: Page, home: str) -> None:
    open_page(page, home + SEARCH)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("status")).to_contain_text("搜索 “purple glass”：12 件商品")
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    said = page.eval_on_selector_all("[data-say]", "(all) => all.map((e) => e.textContent)")
    assert [text for text in said if not re.search("[\u4e00-\u9fff]", text)] == []
    page.get_by_label("搜索词").fill("紫色")
    page.get_by_role("button", name="显示商品").click()
    expect(page.get_by_role("status")).to_contain_text("“紫色”")
    expect(products(page).first).to_contain_text("紫色")
    assert "lang=zh" in page.url
    page.get_by_role("button", name="English").click()
    expect(page.get_by_label("Query")).to_have_value("紫色")


def test_both_languages_say_the_same_things() -> None:
    text = (Path(__file__).parents[3] / "serving/storefront/static/words.js").read_text(encoding="utf-8")
    english, chinese = text.split("const ZH = ")
    keys = [re.findall(r'(?:^|,)\s*(\w+): "', part.split("};")[0], re.MULTILINE) for part in (english, chinese)]
    assert len(keys[0]) > 60
    assert keys[0] == keys[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_stands_in_the_way_of_assistive_technology(
    chromium: Browser, home: str, language: str, scheme: Any
) -> None:
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    for question in QUESTIONS.values():
        open_page(page, f"{home}{question}&w.popularity=2&price=1&lang={language}")
        page.locator("#reasons").click()
        page.locator("#filters summary").click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    context.close()


def test_the_pictures_of_the_readme(page: Page, home: str, tmp_path: Path) -> None:
    """Written to docs/images where CUVEE_SCREENSHOTS says so (`make screenshots`)."""
    folder = Path(__file__).parents[3] / "docs" / "images" if os.environ.get("CUVEE_SCREENSHOTS") else tmp_path
    for language, query in (("en", "purple glass"), ("zh", "紫色 杯")):
        page.set_viewport_size({"width": 1100, "height": 1000})
        open_page(page, f"{home}?scenario=search&query={query}&k=6&w.tfidf=2&lang={language}")
        page.locator("#reasons").click()
        wait_until(page, "[...document.images].filter((i) => i.src).every((i) => i.complete)")
        page.screenshot(path=folder / f"storefront-{language}.png")
        page.set_viewport_size({"width": 390, "height": 844})
        open_page(page, f"{home}?scenario=recommend&user_id=u0000004&k=6&lang={language}")
        products(page).first.locator("summary").click()
        products(page).first.scroll_into_view_if_needed()
        page.locator("#results").evaluate("(results) => results.scrollIntoView()")
        wait_until(page, "[...document.images].filter((i) => i.src).every((i) => i.complete || i.loading === 'lazy')")
        page.screenshot(path=folder / f"storefront-phone-{language}.png")
    assert all(Image.open(path).size[1] > 800 for path in folder.glob("storefront-*.png"))
