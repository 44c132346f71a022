"""Word2Vec over what users met, told as items and the words of their titles, so that new items have vectors too."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from components.common import columns as c
from components.common.config import Config
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.train_text.holdout import has_clock, hold_out, is_gain, popularity
from components.train_text.tfidf import terms_of
from serving.arrays import Floats
from serving.members.base import MEMBER_FILE
from serving.members.text import unit
from serving.members.word2vec import Word2vec

JUDGES = 2_000


class Word2vecConfig(Config):
    """Numbers of the training, and what a user's interest is made of; half-life and prior are chosen on a hold-out."""

    embedding_size: int = Field(default=64, ge=1, description="length of a vector")
    window: int = Field(default=12, ge=1, description="words on either side that count as context")
    negative: int = Field(default=5, ge=1, description="noise words per word")
    epochs: int = Field(default=5, ge=1, description="passes over the sentences")
    learning_rate: float = Field(default=0.025, gt=0, description="falls to nothing over the passes")
    words_per_item: int = Field(default=3, ge=0, description="of an item, the rarest shared, in a sentence")
    most_items: int = Field(default=300_000, ge=1, description="entries of the sentences: of longer pasts the latest")
    half_life: float = Field(default=4.0, gt=0, description="visits after which a history's entry counts half")
    prior_weight: float = Field(default=0.06, ge=0, description="of log(1 + users), added to the cosine")
    count_power: float = Field(default=0.5, ge=0, description="how repeated visits add up in a history")


HALF_LIVES, PRIOR_WEIGHTS = (1.5, 20.0), (0.02, 0.15, 0.3)


class Words:
    """The words of every item with their IDF; a word of one item alone says nothing about others."""

    def __init__(self, items: pd.DataFrame, per_item: int) -> None:
        """*per_item*: how many words stand for an item in a sentence."""
        rows = [list(dict.fromkeys(terms)) for terms in terms_of(items)]
        held = pd.Series([term for terms in rows for term in terms], dtype=object).value_counts()
        self.idf = {str(term): float(np.log((1 + len(rows)) / (1 + n)) + 1) for term, n in held.items() if n > 1}
        self.of_item = [[term for term in terms if term in self.idf] for terms in rows]
        self.short = [sorted(terms, key=lambda term: (-self.idf[term], term))[:per_item] for terms in self.of_item]


def sentences(events: pd.DataFrame, words: Words, most_items: int) -> Iterator[list[str]]:
    """One sentence per user, item by item in order, and one per item with all its words.

    Args:
        events: user, visit, item.
        words: of the catalogue.
        most_items: entries over all users; beyond it each user's latest are kept.
    """
    entries = events[[c.USER, c.VISIT, c.ITEM]].drop_duplicates().sort_values([c.USER, c.VISIT, c.ITEM])
    user, item = (entries[name].to_numpy(dtype=np.int64) for name in (c.USER, c.ITEM))
    kept = _latest(user, most_items)
    begins = np.flatnonzero(np.diff(user[kept], prepend=-1))
    for part in np.split(item[kept], begins[1:]) if len(begins) else ():
        yield [token for row in part.tolist() for token in (item_token(row), *words.short[row])]
    yield from ([item_token(row), *terms] for row, terms in enumerate(words.of_item) if terms)


def _latest(user: np.ndarray[tuple[int], np.dtype[np.int64]], most: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows of *user* (sorted), each user's last ones, at most *most* in all."""
    ends = np.searchsorted(user, user, side="right")
    from_end = ends - np.arange(len(user))
    counts = np.bincount(from_end) if len(user) else np.zeros(1, np.int64)
    longest = int(np.searchsorted(np.cumsum(counts), most, side="right"))
    return np.flatnonzero(from_end < max(longest, 2))


def item_token(row: int) -> str:
    """The word that stands for an item; no word of a text begins with a number sign."""
    return f"#{row}"


def item_vectors(events: pd.DataFrame, words: Words, config: Word2vecConfig, seed: int) -> Floats:
    """(n_items, d) rows of length one: the item's own vector plus the IDF-weighted mean of its words'; zero: unknown.

    Bit-identical for one seed: one worker, and an order of the vocabulary that does not depend on hashes.
    """
    from gensim.models import Word2Vec  # a second of import: only where it is trained

    told = list(sentences(events, words, config.most_items))
    vectors = np.zeros((len(words.of_item), config.embedding_size), dtype=np.float32)
    if not told:
        return vectors
    model = Word2Vec(
        told,
        vector_size=config.embedding_size,
        window=config.window,
        negative=config.negative,
        epochs=config.epochs,
        alpha=config.learning_rate,
        sg=1,
        min_count=1,
        workers=1,
        seed=seed,
    ).wv
    met = set(events[c.ITEM].unique().tolist())
    for row, terms in enumerate(words.of_item):
        if terms:
            mean = np.average([model[term] for term in terms], axis=0, weights=[words.idf[term] for term in terms])
            vectors[row] += mean / max(float(np.linalg.norm(mean)), 1e-12)
        if row in met and item_token(row) in model:
            own = model[item_token(row)]
            vectors[row] += own / max(float(np.linalg.norm(own)), 1e-12)
    return unit(vectors)


def choose(shop: Prepared, cut: Cut, seed: int, config: Word2vecConfig | None = None) -> Word2vecConfig:
    """Half-life and prior's weight that rank held-out training events best beyond chance."""
    config = config or Word2vecConfig()
    held = hold_out(shop, cut, seed, JUDGES)
    if held is None:
        return config
    vectors = item_vectors(held.known, Words(shop.items, config.words_per_item), config, seed)
    popular = np.log1p(held.popularity)

    def quality(tried: Word2vecConfig) -> Floats:
        member = Word2vec(vectors, popular, tried.half_life, tried.count_power)
        return held.values((member.cosines(held.states) + np.float32(tried.prior_weight) * popular).astype(np.float32))

    changes = [{"prior_weight": value} for value in PRIOR_WEIGHTS] + [{"half_life": value} for value in HALF_LIVES]
    value = quality(config)
    for change in changes:
        tried = config.model_copy(update=change)
        found = quality(tried)
        if is_gain(found - value):
            config, value = tried, found
    return config


def train_word2vec(shop: Prepared, cut: Cut, out: Path, config: Word2vecConfig, seed: int) -> None:
    """Write the member learned from *cut*'s training events and the catalogue's words into *out*.

    Args:
        shop: the prepared shop.
        cut: whose training events may be looked at.
        out: the member's folder.
        config: its numbers, see `choose`.
        seed: of the vectors' start and the noise.
    """
    events = shop.train(cut)
    vectors = item_vectors(events, Words(shop.items, config.words_per_item), config, seed)
    popular = np.log1p(popularity(events, len(shop.items), has_clock(shop))) * config.prior_weight
    out.mkdir(parents=True, exist_ok=True)
    for name, array in {"vectors": vectors, "prior": popular.astype(np.float32)}.items():
        np.save(out / f"{name}.npy", array, allow_pickle=False)
    write_json(out / MEMBER_FILE, {"kind": Word2vec.kind, **config.model_dump(mode="json")})
