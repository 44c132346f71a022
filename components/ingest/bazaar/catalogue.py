"""The items as the shop writes them: titles, descriptions and attributes in English, Chinese or both."""

import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.common import columns as c
from components.ingest.bazaar.words import BRAND_WORDS, CATEGORIES, COLOURS, PATTERNS, SERIES, TYPES, Word
from components.ingest.bazaar.world import BOTH, EN, ZH, Items

PLAIN = 0  # a pattern that titles do not name


def item_ids(n: int) -> npt.NDArray[np.object_]:
    """(n,) ids."""
    return np.array([f"i{number:06}" for number in range(n)], dtype=object)


def described(items: Items) -> pd.DataFrame:
    """item_id, title, description, category, brand, attributes: a row per item."""
    columns = (
        items.type,
        items.brand,
        items.colour,
        items.pattern,
        items.series,
        items.language,
        items.photo_only,
    )
    rows = [_texts(number, *map(int, facet)) for number, facet in enumerate(zip(*columns, strict=True))]
    texts = pd.DataFrame(rows, columns=[c.TITLE, c.DESCRIPTION, c.CATEGORY, c.BRAND, c.ATTRIBUTES], dtype=object)
    texts.insert(0, c.ITEM_ID, item_ids(len(items)))
    return texts


def _texts(
    number: int, kind: int, brand: int, colour: int, pattern: int, series: int, language: int, photo_only: int
) -> tuple[str, str | None, str | None, str | None, str | None]:
    """Title, description, category, brand and attributes of one item."""
    if photo_only:
        return f"New arrival 新品 {number:06}", None, None, None, None
    what, by = TYPES[kind], BRAND_WORDS[brand]
    colour_word, pattern_word = COLOURS[colour][0], PATTERNS[pattern]
    model = f"{SERIES[series // 9]} {series % 9 + 1}"
    title = _either(
        language,
        " ".join(filter(None, (by.en, colour_word.en, _named(pattern, pattern_word).en, what.name.en, model))),
        f"{by.zh} {colour_word.zh}{_named(pattern, pattern_word).zh}{what.name.zh} {model}",
    )
    use = CATEGORIES[what.category]
    description = _either(
        language,
        f"A {pattern_word.en} {colour_word.en} {what.name.en} by {by.en}. {use.en}",
        f"{by.zh}出品的{colour_word.zh}{pattern_word.zh}{what.name.zh}。{use.zh}",
    )
    attributes = {"colour": _one(language, colour_word), "pattern": _one(language, pattern_word), "series": model}
    category = f"{what.category} > {what.name.en.capitalize()}"
    return title, description, category, by.en, json.dumps(attributes, ensure_ascii=False)


def _named(pattern: int, word: Word) -> Word:
    return Word("", "") if pattern == PLAIN else word


def _either(language: int, english: str, chinese: str) -> str:
    return {EN: english, ZH: chinese, BOTH: f"{english} {chinese}"}[language]


def _one(language: int, word: Word) -> str:
    return word.zh if language == ZH else word.en
