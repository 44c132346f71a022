"""The questions a release carries with it: whoever loads it asks them before it may answer anybody."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from components.common import columns as c
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse_all
from serving.queries import BUNDLE, RECOMMEND, SEARCH, SIMILAR
from serving.smoke import INSTANCES, ITEMS, SIZES, ask

EACH, K = 5, 5
QUERY_WORDS, QUERY_CHARACTERS = 3, 80


def smoke(engine: Engine) -> dict[str, Any]:
    """Five requests per scenario that this release can answer, and what it answers.

    They name items and words of the catalogue only, never a user.

    Returns:
        {"instances": [...], "answers": [number of items, in the order of the instances], "items": [[[item, score]]]}.

    Raises:
        ReleaseError: an answer has to do without a part of the release.
    """
    asked = [instance for instance in _instances(engine.catalogue) if _can(engine, instance["scenario"])]
    if not asked:
        return {INSTANCES: [], SIZES: [], ITEMS: []}
    kept = [(instance, answer) for instance, answer in zip(asked, ask(engine, parse_all(asked)), strict=True) if answer]
    answers = [answer for _, answer in kept]
    return {INSTANCES: [instance for instance, _ in kept], SIZES: list(map(len, answers)), ITEMS: answers}


def _can(engine: Engine, scenario: str) -> bool:
    """Does the release hold a blend of this scenario and a member to feed it."""
    fused = engine.fusion is not None and engine.task(scenario) in engine.fusion.tasks
    return fused and any(scenario in member.scenarios for member in engine.members.values())


def _instances(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    rows = np.unique(np.linspace(0, len(catalogue) - 1, EACH).astype(int)).tolist() if len(catalogue) else []
    titles = catalogue.items[c.TITLE]
    for k in range(K, K + EACH):
        yield {"scenario": RECOMMEND, "k": k, "explain": True}
    for row in rows:
        query = " ".join(str(titles.iloc[row]).split()[:QUERY_WORDS])[:QUERY_CHARACTERS]
        if query:
            yield {"scenario": SEARCH, "query": query, "k": K, "explain": True}
        yield {"scenario": SIMILAR, "item_id": catalogue.ids[row], "k": K, "explain": True}
        basket = sorted({catalogue.ids[row], catalogue.ids[rows[0]]})
        yield {"scenario": BUNDLE, "item_ids": basket, "k": K, "explain": True}
