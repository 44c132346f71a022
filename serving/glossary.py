"""Chinese in the words of an English catalogue: for queries in one language and titles in the other."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from components.common.files import read_json
from serving.text import folded, has_chinese, singular

GLOSSARY_FILE = "glossary.json"
LONGEST = 8  # characters of a dictionary word
WORD, CHARACTER, STRANGE = 1.0, 1.5, 2.5  # what a piece of a text costs: the cheapest way to cut it is taken
LESS_BY_PLACE = 0.5  # of a sense, by its place in the dictionary
SMALL = frozenset({"a", "an", "and", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with"})
REMEMBERED = 4_096
HELD, OTHERS = "held", "others"
Entries = Mapping[str, Mapping[str, str]]
_RUN = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[a-z0-9]+")


class Glossary:
    """One English expression for each Chinese word; nothing is read before the first Chinese text."""

    def __init__(self, entries: Entries | Path) -> None:
        """Take what `choose` gave, or the file that holds it."""
        self._source = entries
        self._cut = lru_cache(REMEMBERED)(self._pieces)

    @cached_property
    def _read(self) -> Entries:
        return read_json(self._source) if isinstance(self._source, Path) else self._source

    @property
    def _held(self) -> Mapping[str, str]:
        return self._read[HELD]

    @cached_property
    def _entries(self) -> Mapping[str, str]:
        return {**self._read[OTHERS], **self._held}

    def asked(self, text: str) -> str:
        """*text* and behind it what its Chinese means in the catalogue's own words: either language can be found.

        >>> Glossary({"held": {"红色": "red", "连衣裙": "dress"}, "others": {}}).asked("红色连衣裙")
        '红色连衣裙 red dress'
        """
        if not has_chinese(text):
            return text
        pieces = [piece for run in _RUN.findall(folded(text)) for piece in self._known(run)]
        return " ".join([text, *(meaning for part, meaning in pieces if meaning and part in self._held)])

    def meant(self, text: str) -> str:
        """*text* with its Chinese put into English, for an encoder that reads no Chinese; unknown words are left out.

        >>> Glossary({"held": {}, "others": {"运动鞋": "sports shoes"}}).meant("Nike运动鞋 42")
        'nike sports shoes 42'
        """
        if not has_chinese(text):
            return text
        put = (" ".join(meaning or part for part, meaning in self._known(run)) for run in _RUN.findall(folded(text)))
        return " ".join(run for run in put if run) or text

    def _known(self, run: str) -> tuple[tuple[str, str], ...]:
        return self._cut(run) if has_chinese(run) else ((run, ""),)

    def _pieces(self, run: str) -> tuple[tuple[str, str], ...]:
        """(part, its English; '' for letters and digits as they stand) of the cheapest way to cut *run*."""
        best: list[tuple[float, int, tuple[str, str] | None]] = [(0.0, 0, None)]
        best += [(float("inf"), 0, None)] * len(run)
        for start in range(len(run)):
            for end, cost, piece in self._steps(run, start):
                if best[start][0] + cost < best[end][0]:
                    best[end] = (best[start][0] + cost, start, piece)
        found, at = [], len(run)
        while at:
            _, at, piece = best[at]
            found.append(piece)
        return tuple(piece for piece in reversed(found) if piece is not None)

    def _steps(self, run: str, start: int) -> Iterator[tuple[int, float, tuple[str, str] | None]]:
        yield start + 1, STRANGE, None
        letters = _LETTERS.match(run, start)
        if letters:
            yield letters.end(), WORD, (letters[0], "")
        for end in range(start + 1, min(start + LONGEST, len(run)) + 1):
            part = run[start:end]
            if part in self._entries:
                meaning = self._entries[part]
                yield end, WORD if len(part) > 1 else CHARACTER, (part, meaning) if meaning else None


def choose(senses: Mapping[str, Sequence[str]], held: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """One English expression for each Chinese word, in the words of a catalogue where it has them.

    Of a word's senses the one wins that many items speak of and that stands early in the dictionary; where the
    catalogue knows none of them, the first one.

    Args:
        senses: by Chinese word, English expressions as the dictionary orders them.
        held: by term (see `serving.text.words`), how many items hold it.

    Returns:
        By folded word, those whose every word the catalogue holds (`held`) apart from the `others`; '' for a word that
        means nothing to search for (and, of).
    """
    found: dict[str, dict[str, str]] = {HELD: {}, OTHERS: {}}
    for word, options in senses.items():
        if len(word) <= LONGEST:
            worth = [_held(sense, held) ** 0.5 * LESS_BY_PLACE**place for place, sense in enumerate(options)]
            best = options[worth.index(max(worth))].lower()
            found[HELD if max(worth) > 0 else OTHERS][folded(word)] = "" if best in SMALL else best
    return found


def _held(sense: str, held: Mapping[str, int]) -> int:
    """How many items hold the rarest of its words."""
    words = [word for word in _LETTERS.findall(sense.lower()) if word not in SMALL]
    return min((held.get(singular(word), 0) for word in words), default=0)
