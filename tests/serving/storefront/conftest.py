"""A real Chromium on the page of a real server; a test fails of any error in its console."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright


@pytest.fixture(scope="module")  # not longer: while Playwright is there, no other test can run a loop in this thread
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium: nothing is downloaded."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed: `apt-get install chromium fonts-wqy-zenhei`")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture
def home(bazaar_url: str) -> str:
    """The page's address."""
    return f"{bazaar_url}/storefront/"


@pytest.fixture
def expected_errors() -> list[str]:
    """What a test expects in the console, as parts of its lines."""
    return []


@pytest.fixture
def page(chromium: Browser, expected_errors: list[str]) -> Iterator[Page]:
    """A tab of its own, 1200 pixels wide, in English."""
    expect.set_options(timeout=10_000)
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, locale="en-GB")
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda line: errors.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert [line for line in errors if not any(part in line for part in expected_errors)] == []
