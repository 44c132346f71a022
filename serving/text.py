"""Words of a text, cut the same way for every member that counts them."""

import re
import unicodedata
from collections.abc import Iterator

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]")
_PART = re.compile(r"\d+|[^\W\d_]+")
LONGEST = 32  # characters; longer runs are cut


def words(text: str) -> list[str]:
    """Index terms of *text*, in order.

    Lower-cased after NFKC. English plurals lose their ending. A run of letters and digits gives itself and its
    parts (`rtx3080` -> `rtx3080`, `rtx`, `3080`); Chinese, Japanese and Korean give characters and pairs.

    >>> words("Sony WH1000 Headphones")
    ['sony', 'wh1000', 'wh', '1000', 'headphone']
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    return [term for run in _RUN.findall(folded) for term in _terms(run)]


def _terms(run: str) -> Iterator[str]:
    if _IS_CJK.match(run):
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
