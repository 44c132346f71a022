"""Builds the TF-IDF documents of a catalogue."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from components.common import columns as c
from components.common.config import Config
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.train_text.counts import count
from components.train_text.holdout import Holdout, has_clock, hold_out, popularity
from serving.arrays import Floats, Ints
from serving.members.base import MEMBER_FILE
from serving.members.tfidf import VOCABULARY_FILE, Tfidf
from serving.queries import RECOMMEND, Queries
from serving.text import words


class TfidfConfig(Config):
    """Vocabulary limits and how a history becomes a profile."""

    least_items: int = 2  # a term in fewer items says nothing about others
    most_terms: int = 50_000  # the most frequent are kept
    half_lives: tuple[float, ...] = (2.0, 8.0, 60.0)  # visits; one is chosen on held-out training events
    prior_powers: tuple[float, ...] = (0.1, 0.3, 1.0, 1.3)  # of popularity, likewise
    strongest_stale_prior: float = 0.3  # where timestamps give no recency, popularity is old: trust it no further
    count_power: float = 0.5


def terms_of(items: pd.DataFrame) -> list[list[str]]:
    """Terms of each item: its words, its brand and every level of its category path."""
    columns = (items[name] for name in (c.TITLE, c.DESCRIPTION, c.CATEGORY, c.BRAND))
    return [_terms(*row) for row in zip(*columns, strict=True)]


def _terms(title: str, description: str, category: str, brand: str) -> list[str]:
    levels = [level.strip().lower() for level in category.split(c.CATEGORY_SEPARATOR.strip()) if level.strip()]
    paths = [f"category:{c.CATEGORY_SEPARATOR.join(levels[: depth + 1])}" for depth in range(len(levels))]
    brands = [f"brand:{brand.lower()}"] if brand else []
    return words(title) + words(description) + words(" ".join(levels)) + words(brand) + paths + brands


def vocabulary(tokens: list[list[str]], config: TfidfConfig) -> list[str]:
    """Terms held by at least `least_items` items, at most `most_terms`, sorted."""
    held = Counter(term for row in tokens for term in set(row))
    kept = [term for term, items in held.items() if items >= config.least_items]
    return sorted(sorted(kept, key=lambda term: (-held[term], term))[: config.most_terms])


def documents(tokens: list[list[str]], terms: list[str]) -> tuple[sparse.csr_matrix, Ints, Floats]:
    """Distinct TF-IDF documents, which of them each item has, and the IDF of every term.

    Weights are (1 + log count) * (1 + log((1 + n) / (1 + held))), rows of length one.
    """
    counts = count(tokens, {term: row for row, term in enumerate(terms)})
    held = np.bincount(counts.indices, minlength=len(terms))
    idf = (np.log((1 + len(tokens)) / (1 + held)) + 1).astype(np.float32)
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    length = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    unit = (sparse.diags(1 / np.maximum(length, 1e-12)) @ counts).tocsr().astype(np.float32)
    unit.sort_indices()
    first, document_of = _distinct(unit)
    return unit[first], document_of, idf


def _distinct(rows: sparse.csr_matrix) -> tuple[list[int], Ints]:
    """The first row of every distinct content, and for every row the place of its content among those."""
    place: dict[tuple[bytes, bytes], int] = {}
    first: list[int] = []
    of_row = np.empty(rows.shape[0], dtype=np.int32)
    for row in range(rows.shape[0]):
        span = slice(rows.indptr[row], rows.indptr[row + 1])
        content = (rows.indices[span].tobytes(), rows.data[span].tobytes())
        if content not in place:
            place[content] = len(first)
            first.append(row)
        of_row[row] = place[content]
    return first, of_row


def choose(member: Tfidf, held: Holdout, config: TfidfConfig, clock: bool) -> tuple[float, float]:
    """The power of popularity, then the half-life, that rank the hold-out best; the first of equals."""
    allowed = [power for power in config.prior_powers if clock or power <= config.strongest_stale_prior]
    middle = config.half_lives[len(config.half_lives) // 2]
    powers = {power: _quality(member, held, middle, power) for power in allowed}
    power = max(powers, key=lambda value: powers[value])
    lives = {
        life: powers[power] if life == middle else _quality(member, held, life, power) for life in config.half_lives
    }
    return max(lives, key=lambda value: lives[value]), power


def _quality(member: Tfidf, held: Holdout, half_life: float, power: float) -> float:
    member.half_life, member.prior = half_life, prior(held.popularity, power)
    return held.ndcg(member.score_all(Queries(RECOMMEND, held.states)))


def prior(popularity: Floats, power: float) -> Floats:
    """(n_items,) (1 + users)^power, at most 1."""
    raised = (1 + popularity) ** power
    scaled: Floats = (raised / raised.max(initial=1.0)).astype(np.float32)
    return scaled


def train_tfidf(prepared: Prepared, cut: Cut, out: Path, seed: int = 0, config: TfidfConfig | None = None) -> None:
    """Write the TF-IDF member of the catalogue into the folder *out*; profiles are tuned on *cut*'s training events.

    Args:
        prepared: items with title, description, category, brand; events may be none.
        cut: whose training events may be looked at.
        out: the member's folder.
        seed: draws the users of the hold-out.
        config: vocabulary limits and what to choose from.
    """
    config = config or TfidfConfig()
    tokens = terms_of(prepared.items)
    terms = vocabulary(tokens, config)
    rows, document_of, idf = documents(tokens, terms)
    popular = popularity(prepared.train(cut), len(prepared.items), has_clock(prepared))
    half_life, power = config.half_lives[0], 0.0
    held = hold_out(prepared, cut, seed)
    if held is not None:
        member = Tfidf(
            {term: row for row, term in enumerate(terms)}, idf, rows, document_of, popular, 1.0, config.count_power
        )
        half_life, power = choose(member, held, config, has_clock(prepared))
    _write(out, terms, {"idf": idf, "document_of": document_of, "prior": prior(popular, power)}, rows)
    chosen = {"half_life": half_life, "prior_power": power, "count_power": config.count_power}
    write_json(out / MEMBER_FILE, {"kind": "tfidf", **chosen})


def _write(out: Path, terms: list[str], arrays: dict[str, Floats | Ints], rows: sparse.csr_matrix) -> None:
    out.mkdir(parents=True, exist_ok=True)
    arrays = arrays | {"data": rows.data, "indices": rows.indices.astype(np.int32)}
    for name, array in (arrays | {"indptr": rows.indptr.astype(np.int64)}).items():
        np.save(out / f"{name}.npy", array)
    write_json(out / VOCABULARY_FILE, terms)
