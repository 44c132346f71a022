"""What the tests of the storefront in a browser share: questions, and how its page is read."""

import base64
import io
import time

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

WAIT_S = 30.0
SEARCH = "?scenario=search&query=purple%20glass&lang=en"
QUESTIONS = {
    "recommend": "?scenario=recommend&user_id=u0000004",
    "search": "?scenario=search&query=purple%20glass",
    "similar": "?scenario=similar&item_id=i000001",
    "bundle": "?scenario=bundle&item_ids=i000001,i000007",
    "campaign": "?scenario=campaign&user_id=u0000004",
    "ads": "?scenario=ads&user_id=u0000011",
}
DROP = """([base64, type, name]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const given = { bubbles: true, cancelable: true, dataTransfer };
  for (const kind of ["dragenter", "dragover", "drop"])
    document.getElementById("picture").dispatchEvent(new DragEvent(kind, given));
}"""


def products(page: Page) -> Locator:
    return page.locator("#products > li")


def shown(page: Page) -> list[str]:
    """Item ids in the order of the page, once it rests."""
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    return [str(card.get_attribute("data-id")) for card in products(page).all()]


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(products(page).first).to_be_visible()
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")


def wait_until(page: Page, holds: str) -> None:
    """Wait until the expression *holds*; asked from here, since the page's own policy forbids it to evaluate text."""
    until = time.monotonic() + WAIT_S
    while not page.evaluate(holds):
        assert time.monotonic() < until, f"after {WAIT_S} s still not: {holds}"
        page.wait_for_timeout(50)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def drop(page: Page, content: str, name: str = "a.png") -> None:
    """Drop a file of base64 *content* on the page."""
    page.evaluate(DROP, [content, "image/png", name])


def picture(side: int) -> str:
    """A photo too large to send, base64: noise, which compresses badly."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side * 3 // 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
