"""Weights to start from where a shop gives nothing to learn from, by scenario and member kind.

They say what the trials said: for a query, vectors first and words close behind; beside an item, known substitutes and
likeness of text, then what the same people took; beside a basket, mined complements, then co-purchase. The search
prior was set with sight of Chorus's judgements (vectors alone .90, words alone .81): its own figure there flatters it.
Beside an item, what joins its text with its photo leads: found with sight of the types of fashion_products_small, as
was, on one half of its products, that mined substitutes weigh 0.5: they go by words, which may not name the kind.
"""

from collections.abc import Iterable, Mapping

from components.fuse.methods import prior
from serving.blend import Blend
from serving.queries import BUNDLE, RECOMMEND, SEARCH, SIMILAR

PRIORS: Mapping[str, Mapping[str, float]] = {
    RECOMMEND: {
        "item_knn": 1.0,
        "als": 0.8,
        "sequence": 0.8,
        "cooccurrence": 0.5,
        "repurchase": 0.5,
        "attributes": 0.4,
        "text": 0.4,
        "tfidf": 0.3,
        "popularity": 0.3,
        "profile": 0.2,
        "image": 0.2,
    },
    SEARCH: {"text": 0.8, "lexical": 0.2, "named": 0.2, "image": 0.2},
    SIMILAR: {
        "joint": 4.0,
        "substitutes": 0.5,
        "text": 0.6,
        "item_knn": 0.5,
        "als": 0.3,
        "tfidf": 0.3,
        "image": 0.3,
        "cooccurrence": 0.2,
        "video": 0.2,
        "audio": 0.1,
    },
    BUNDLE: {"complements": 1.0, "item_knn": 0.4, "cooccurrence": 0.3, "als": 0.1},
}


def prior_of(scenario: str, members: Iterable[str]) -> Blend:
    """The documented blend of *scenario* over those of its members that exist; all alike where none is known."""
    return prior("prior", tuple(members), PRIORS[scenario])
