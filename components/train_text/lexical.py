"""Builds the BM25 index of a catalogue."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import sparse

from components.common import columns as c
from components.common.cedict import senses
from components.common.config import Config
from components.common.files import write_json
from components.train_text.counts import Counts, count_terms
from serving.glossary import GLOSSARY_FILE, choose
from serving.members.base import MEMBER_FILE
from serving.members.lexical import VOCABULARY_FILE


class LexicalConfig(Config):
    """BM25's numbers; `boosts` weigh a term's count by the field it stands in."""

    saturation: float = 0.9
    length_penalty: float = 0.4
    boosts: dict[str, float] = Field(
        default_factory=lambda: {c.TITLE: 2.0, c.BRAND: 1.0, c.CATEGORY: 1.0, c.DESCRIPTION: 1.0}
    )


def impacts(counts: dict[str, Counts], config: LexicalConfig) -> sparse.csr_matrix:
    """What each term adds to each item's score (BM25F: fields are joined before saturation).

    Args:
        counts: per field, (n_items, terms) counts over one shared vocabulary.
        config: boosts per field, saturation, length penalty.

    Returns:
        (terms, n_items) float32, only values above 0.
    """
    total = sum((_damped(counts[field], config) * boost for field, boost in config.boosts.items()), start=0)
    joined = sparse.csr_matrix(total)
    held = np.bincount(joined.indices, minlength=joined.shape[1])
    idf = np.log1p((joined.shape[0] - held + 0.5) / (held + 0.5))
    joined.data = joined.data * (config.saturation + 1) / (joined.data + config.saturation)
    weighted = joined.multiply(idf[None, :]).T.tocsr().astype(np.float32)
    weighted.sort_indices()
    return weighted


def _damped(counts: Counts, config: LexicalConfig) -> sparse.csr_matrix:
    """Counts divided by how long the field is against the average of those that have it."""
    length = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    average = length[length > 0].mean() if length.any() else 1.0
    norm = 1 - config.length_penalty + config.length_penalty * length / average
    return sparse.diags(1 / norm) @ counts


def train_lexical(items: pd.DataFrame, out: Path, config: LexicalConfig | None = None) -> None:
    """Index *items* (columns title, brand, category, description) into the member folder *out*, with the glossary."""
    config = config or LexicalConfig()
    terms, counts = count_terms({field: items[field].tolist() for field in config.boosts})
    index = impacts(counts, config)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "data.npy", index.data)
    np.save(out / "indices.npy", index.indices.astype(np.int32))
    np.save(out / "indptr.npy", index.indptr.astype(np.int64))
    write_json(out / VOCABULARY_FILE, terms)
    held = dict(zip(terms, np.diff(index.indptr).tolist(), strict=True))
    write_json(out / GLOSSARY_FILE, choose(senses(), held))
    write_json(out / MEMBER_FILE, {"kind": "lexical", **config.model_dump(mode="json")})
