"""Short texts as shoppers ask, made of what items say: what a table of queries is learned from and judged by."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Prepared
from components.common.searches import SEARCHES_FILE
from serving.text import has_chinese

LONGEST = 4  # words of a window
START = 12  # words of a title or a description that are looked at
MIXTURES = 3  # of words from anywhere in an item's text, for each item
EDGES = ".,;:!?()[]{}\"'|/\\*-–—"


def split_words(text: str) -> list[str]:
    """The words of *text* as they are written, in lower case, without what stands at their ends.

    >>> split_words("Brother TN-2110 toner, (black)")
    ['brother', 'tn-2110', 'toner', 'black']
    """
    cut = (word.strip(EDGES) for word in text.lower().split())
    return [word for word in cut if word]


def windows(words: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Every run of at most *longest* of *words*.

    >>> windows(["red", "wool", "hat"], 2)
    ['red', 'wool', 'hat', 'red wool', 'wool hat']
    """
    return [
        " ".join(words[start : start + size])
        for size in range(1, longest + 1)
        for start in range(len(words) - size + 1)
    ]


def of_items(items: pd.DataFrame, draw: np.random.Generator) -> list[str]:
    """Texts that ask for *items*, each once, in order: by windows, names, whole titles, and words from anywhere.

    Args:
        items: columns title, category, brand, description (str, '' if none).
        draw: of the words from anywhere.
    """
    said = items[[c.TITLE, c.CATEGORY, c.BRAND, c.DESCRIPTION]].astype(str).to_numpy()
    texts = (text for title, category, brand, told in said for text in _of_item(title, category, brand, told, draw))
    return list(dict.fromkeys(text for text in texts if text and not has_chinese(text)))


def _of_item(title: str, category: str, brand: str, description: str, draw: np.random.Generator) -> Iterator[str]:
    named, told = split_words(title)[:START], split_words(description)[:START]
    maker, levels = " ".join(split_words(brand)), [" ".join(split_words(x)) for x in category.split(">")]
    yield from windows(named)
    yield " ".join(named)
    yield from windows(told, 2)
    yield from (maker, *levels)
    yield from (f"{maker} {level}" for level in levels if maker and level)
    everything = list(dict.fromkeys([*named, *told, *(word for level in levels for word in level.split())]))
    for _ in range(MIXTURES if len(everything) > 1 else 0):
        yield " ".join(draw.permutation(everything)[: draw.integers(2, LONGEST)])


def searched(shop: Prepared, prepared: Path) -> list[str]:
    """What users searched for before the first fit window, each once, in order; Chinese is left out."""
    cut = shop.split.fits[0] if shop.split.fits else shop.split.test
    if cut.as_of is None or not (prepared / SEARCHES_FILE).exists():
        return []
    found = pd.read_parquet(prepared / SEARCHES_FILE)
    texts = found.loc[microseconds(found[c.TIMESTAMP]) < cut.as_of, c.QUERY].astype(str)
    return [text for text in dict.fromkeys(texts) if text.strip() and not has_chinese(text)]
