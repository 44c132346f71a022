"""Texts of a prepared shop that belong together, for fine-tuning an encoder."""

from pathlib import Path

import pandas as pd

from components.common import columns as c
from components.common.moments import microseconds
from components.common.prepared import Cut, Prepared
from components.common.searches import SEARCHES_FILE, answered
from serving.text import has_chinese

WORDS = 30  # of a description
Pair = tuple[str, str]


def pairs_of_texts(prepared: Path) -> list[Pair]:
    """(query, title of what was taken after it) and (title, start of the description), in that order.

    Searches only from before the first fit window, so that no weight is learned and no figure measured on what the
    encoder has seen. Chinese is left out: the packaged model does not read it.
    """
    shop = Prepared.load(prepared)
    cut = shop.split.fits[0] if shop.split.fits else shop.split.test
    pairs = [*_searched(shop, prepared / SEARCHES_FILE, cut), *_described(shop.items)]
    return [pair for pair in pairs if all(pair) and pair[0] != pair[1] and not any(map(has_chinese, pair))]


def _searched(shop: Prepared, path: Path, cut: Cut) -> list[Pair]:
    if cut.as_of is None or not path.exists():
        return []
    searches = pd.read_parquet(path)
    searches = searches[microseconds(searches[c.TIMESTAMP]) < cut.as_of].reset_index(drop=True)
    found = answered(searches, shop.train(cut))
    queries = searches[c.QUERY].astype(str).to_numpy()[found["search"]]
    return list(zip(queries.tolist(), shop.items[c.TITLE].to_numpy()[found[c.ITEM]].tolist(), strict=True))


def _described(items: pd.DataFrame) -> list[Pair]:
    starts = [" ".join(text.split()[:WORDS]) for text in items[c.DESCRIPTION]]
    return list(zip(items[c.TITLE].tolist(), starts, strict=True))
