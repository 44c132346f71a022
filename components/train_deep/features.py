"""What the item tower knows of an item beside its id."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.common import columns as c
from serving.arrays import Bools, Floats, Ints

LEVELS = 4
MOST_ATTRIBUTES = 16  # of an item; the rarest ones say most
NONE = 0  # the token of what is absent or too rare to learn


@dataclass(frozen=True)
class ItemFeatures:
    """Row i describes item i.

    dense: (n_items, k) float32, the text's principal components and the normalised price. categories:
    (n_items, LEVELS) int32 tokens, root first, 0 = none. brands: (n_items,) int32 tokens. attributes: (n_items,
    MOST_ATTRIBUTES) int32 tokens, rarest first.
    """

    dense: Floats
    categories: Ints
    brands: Ints
    attributes: Ints

    @property
    def known(self) -> Bools:
        """(n_items,) is anything known."""
        return np.asarray(self.parts.any(axis=1))

    @property
    def parts(self) -> Bools:
        """(n_items, 4) are text, category, brand, attributes known; the price counts as text."""
        several = (
            (self.dense != 0),
            (self.categories != NONE),
            (self.brands != NONE)[:, None],
            self.attributes != NONE,
        )
        return np.stack([known.any(axis=1) for known in several], axis=1)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Vocabulary sizes of categories, brands and attributes, the empty token included."""
        categories, brands, attributes = (
            int(tokens.max(initial=0)) + 1 for tokens in (self.categories, self.brands, self.attributes)
        )
        return categories, brands, attributes


def item_features(
    items: pd.DataFrame, text: Floats, trained: Bools, text_size: int, min_token_items: int
) -> ItemFeatures:
    """Describe *items*; vocabularies and components are learned from *trained* items alone.

    Args:
        items: the catalogue.
        text: (n_items, d) text embedding; all zeros where there is none.
        trained: (n_items,) items with training events.
        text_size: most principal components kept.
        min_token_items: fewer trained items and a category or brand counts as none.
    """
    paths = [_prefixes(str(path)) for path in items[c.CATEGORY]]
    categories = _tokens(paths, trained, min_token_items, LEVELS)
    names = [[name] if name else [] for name in items[c.BRAND].astype(str)]
    brands = _tokens(names, trained, min_token_items, 1)[:, 0]
    said = [_attributes(str(text)) for text in items[c.ATTRIBUTES]]
    attributes = _tokens(_rarest(said), trained, min_token_items, MOST_ATTRIBUTES)
    price = items[c.PRICE_NORM].to_numpy(dtype=np.float32)[:, None]
    dense = np.hstack([components(text, trained, text_size), price]).astype(np.float32)
    return ItemFeatures(dense, categories, brands, attributes)


def components(text: Floats, trained: Bools, size: int) -> Floats:
    """(n_items, <= size) principal components of unit variance; zero rows stay zero, no text gives no columns."""
    present: Bools = np.any(text, axis=1)
    learned = np.flatnonzero(present & trained)
    basis = text[learned if len(learned) else np.flatnonzero(present)]
    if len(basis) < 2:
        return np.zeros((len(text), 0), dtype=np.float32)
    mean = basis.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov(basis, rowvar=False, dtype=np.float64).reshape(text.shape[1], -1))
    kept = np.argsort(-values)[:size]
    kept = kept[values[kept] > 1e-6 * values.max()]
    projected = (text - mean) @ (vectors[:, kept] / np.sqrt(values[kept]))
    return np.where(present[:, None], projected, 0).astype(np.float32)


def _prefixes(path: str) -> list[str]:
    parts = [part for part in path.split(c.CATEGORY_SEPARATOR) if part]
    return [c.CATEGORY_SEPARATOR.join(parts[: level + 1]) for level in range(min(len(parts), LEVELS))]


def _attributes(text: str) -> list[str]:
    """`key=value` of every value in a JSON object; what is no object says nothing."""
    try:
        said = json.loads(text)
    except ValueError:
        return []
    if not isinstance(said, dict):
        return []
    values = ((key, value if isinstance(value, list) else [value]) for key, value in said.items())
    return sorted({f"{key}={value}" for key, several in values for value in several if not isinstance(value, dict)})


def _rarest(names: Sequence[Sequence[str]]) -> list[list[str]]:
    counts = Counter(name for row in names for name in row)
    return [sorted(row, key=lambda name: (counts[name], name))[:MOST_ATTRIBUTES] for row in names]


def _tokens(names: Sequence[Sequence[str]], trained: Bools, minimum: int, width: int) -> Ints:
    counts = Counter(name for row in np.flatnonzero(trained).tolist() for name in names[row])
    vocabulary = {name: 1 + i for i, name in enumerate(sorted(n for n, count in counts.items() if count >= minimum))}
    tokens = np.full((len(names), width), NONE, dtype=np.int32)
    for row, present in enumerate(names):
        for column, name in enumerate(present):
            tokens[row, column] = vocabulary.get(name, NONE)
    return tokens
