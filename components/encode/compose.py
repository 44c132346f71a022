"""One text per item: what an encoder gets to read."""

import pandas as pd

from components.common import columns as c

DESCRIPTION_WORDS = 60


def compose(items: pd.DataFrame) -> list[str]:
    """Title, category leaf, brand and the start of the description; a part the text already says is left out.

    Args:
        items: columns title, category, brand, description (str, '' if none).

    Returns:
        One text per row.
    """
    parts = zip(items[c.TITLE], items[c.CATEGORY], items[c.BRAND], items[c.DESCRIPTION], strict=True)
    return [_text(title, _leaf(category), brand, _start(description)) for title, category, brand, description in parts]


def _leaf(category: str) -> str:
    return category.rsplit(c.CATEGORY_SEPARATOR.strip(), 1)[-1].strip()


def _start(description: str) -> str:
    return " ".join(description.split()[:DESCRIPTION_WORDS])


def _text(*parts: str) -> str:
    said = ""
    for part in parts:
        if part and part.lower() not in said.lower():
            said = f"{said}. {part}" if said else part
    return said
