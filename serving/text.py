"""Words of a text, cut the same way for every member that counts them."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA = "\u3040-\u30ff\uac00-\ud7af"  # and Hangul
_RUN = re.compile(rf"[{_HAN}]+|[{_KANA}]+|[^\W_{_HAN}{_KANA}]+")
_IS_HAN, _IS_KANA = re.compile(f"[{_HAN}]"), re.compile(f"[{_KANA}]")
_PART = re.compile(r"\d+|[^\W\d_]+")
LONGEST = 32  # characters; longer runs are cut
SHORT = 100  # characters of a text whose words are remembered


def words(text: str) -> list[str]:
    """Index terms of *text*, in order.

    Lower-cased after NFKC. English plurals lose their ending. A run of letters and digits gives itself and its
    parts (`rtx3080` -> `rtx3080`, `rtx`, `3080`). Chinese gives its characters and its words, long words their parts
    too (rjieba): words say what is meant, characters find it where a title is cut otherwise. Kana and Hangul give
    characters and pairs.

    >>> words("Sony WH1000 Headphones")
    ['sony', 'wh1000', 'wh', '1000', 'headphone']
    >>> words("蓝牙耳机")
    ['蓝', '牙', '耳', '机', '蓝牙', '耳机']
    """
    return list(_remembered(text)) if len(text) <= SHORT else _cut(text)


def _cut(text: str) -> list[str]:
    return [term for run in runs(text) for term in _terms(run)]


@lru_cache(maxsize=256)
def _remembered(text: str) -> tuple[str, ...]:
    """What a query gives: several members ask for it while one question is answered."""
    return tuple(_cut(text))


def runs(text: str) -> list[str]:
    """The runs of one script in *text* (Chinese; kana and Hangul; letters and digits), lower-cased after NFKC."""
    return _RUN.findall(folded(text))


def folded(text: str) -> str:
    """*text* without the differences of width and case: NFKC, lower case."""
    return unicodedata.normalize("NFKC", text).lower()


def is_chinese(run: str) -> bool:
    """Does *run* begin with a Chinese character."""
    return _IS_HAN.match(run) is not None


def has_chinese(text: str) -> bool:
    """Does *text* hold a Chinese character anywhere."""
    return _IS_HAN.search(text) is not None


def is_alphabetic(word: str) -> bool:
    """Is *word* of a script that is spelt: not Chinese, kana or Hangul, where each character has a meaning."""
    return not (_IS_HAN.match(word) or _IS_KANA.match(word))


def chinese_words(run: str) -> list[str]:
    """Words of two characters and more in a run of Chinese, and the dictionary words inside long ones."""
    from rjieba import cut_for_search  # late: its dictionary takes 55 MB, and an English shop needs none of it

    return [word for word in cut_for_search(run) if len(word) > 1]


def _terms(run: str) -> Iterator[str]:
    if is_chinese(run):
        yield from run
        yield from chinese_words(run)
        return
    if _IS_KANA.match(run):
        yield from run
        yield from (run[at : at + 2] for at in range(len(run) - 1))
        return
    parts = _PART.findall(run)
    if len(parts) > 1:
        yield run[:LONGEST]
    yield from (singular(part[:LONGEST]) for part in parts)


def singular(word: str) -> str:
    """The word without a light English plural ending (Harman's S-stemmer).

    >>> [singular(word) for word in ("batteries", "cases", "glass", "tvs", "bus")]
    ['battery', 'case', 'glass', 'tv', 'bus']
    """
    if len(word) < 3 or not word.endswith("s") or not word.isascii():
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith(("us", "ss", "is")):
        return word
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def trigrams(word: str) -> set[str]:
    """Character triples of a word with its ends marked.

    >>> sorted(trigrams("tv"))
    ['^tv', 'tv$']
    """
    marked = f"^{word}$"
    return {marked[at : at + 3] for at in range(len(marked) - 2)}
