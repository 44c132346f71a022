"""Chinese texts in English, for an encoder that reads no Chinese: by the same words as the server's queries."""

import re
from collections import Counter
from collections.abc import Sequence

from components.common.cedict import senses
from serving.glossary import Glossary, choose
from serving.text import has_chinese, singular

READ = 300  # characters of a Chinese text; an encoder reads fewer
_WORD = re.compile(r"[a-z0-9]+")


def in_english(texts: Sequence[str]) -> list[str]:
    """*texts* with their Chinese put into English, in the words that most of them use; others stay as they are.

    Raises:
        ConfigError: there is Chinese, and the dictionary is not installed.
    """
    if not any(map(has_chinese, texts)):
        return list(texts)
    glossary = Glossary(choose(senses(), held(texts)))
    return [glossary.meant(text[:READ]) if has_chinese(text) else text for text in texts]


def held(texts: Sequence[str]) -> Counter[str]:
    """By English term, how many of *texts* hold it."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({singular(word) for word in _WORD.findall(text.lower())})
    return counts
