"""What is never offered together: substitutes that the shop names, and those found that are not bought together."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from components.common.config import ShopConfig
from serving.blend import FEATURES, Blend, Fusion, TaskFusion
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.instances import parse
from serving.members.base import Member
from serving.members.relations import MINED, Complements, Substitutes, rivals
from serving.rules.reading import read
from serving.rules.schema import STANDARD, Rules

SAID, FOUND = MINED + 0.5, 0.9


def matrix(entries: dict[tuple[int, int], float]) -> sparse.csr_matrix:
    out = sparse.lil_matrix((5, 5), dtype=np.float32)
    for place, value in entries.items():
        out[place] = value
    return out.tocsr()


@pytest.fixture
def members() -> dict[str, Member]:
    """From item 0: 1 is said to be a substitute, 2 and 3 are found to be; 1, 2 and 4 are bought with it."""
    together = Complements(matrix({(0, 1): 1.0, (0, 2): 0.5, (0, 4): 0.4}))
    return {"complements": together, "substitutes": Substitutes(matrix({(0, 1): SAID, (0, 2): FOUND, (0, 3): FOUND}))}


def engine_of(members: dict[str, Member]) -> Engine:
    items = pd.DataFrame(
        {"item_id": list("abcde"), "title": "", "description": "", "category": "", "brand": "", "price": 1.0,
         "price_norm": np.float32(0), "available": True, "created_at": pd.NaT, "attributes": "{}"}
    )  # fmt: skip
    weights = (tuple(1.0 if name == "value" else 0.0 for name in FEATURES),)
    blend = Blend(kind="even", members=("complements",), weights=weights)
    fusion = Fusion(tasks={"bundle": TaskFusion(chosen="even", methods={"even": blend})})
    return Engine(Catalogue(items), ShopConfig(), members, fusion)


def bundled(engine: Engine, *basket: str) -> list[str]:
    answer = engine.answer([parse({"scenario": "bundle", "item_ids": list(basket), "k": 5})], None, 0)[0]
    return [item["item_id"] for item in answer["items"]]


def test_what_is_bought_together_is_no_rival_unless_the_shop_says_so(members: dict[str, Member]) -> None:
    found = rivals(members)
    assert found is not None
    assert np.flatnonzero(found.toarray()[0]).tolist() == [1, 3]


def test_without_complements_all_that_was_found_counts_and_without_substitutes_nothing(
    members: dict[str, Member],
) -> None:
    alone = rivals({"substitutes": members["substitutes"]})
    assert alone is not None
    assert np.flatnonzero(alone.toarray()[0]).tolist() == [1, 2, 3]
    assert rivals({"complements": members["complements"]}) is None


def test_a_bundle_holds_no_substitute(members: dict[str, Member]) -> None:
    assert bundled(engine_of(members), "a") == ["c", "e"]
    assert bundled(engine_of({"complements": members["complements"]}), "a") == ["b", "c", "e"]


def test_any_item_of_the_basket_forbids_its_own(members: dict[str, Member]) -> None:
    members["complements"] = Complements(matrix({(0, 4): 1.0, (2, 3): 0.5}))
    assert bundled(engine_of(members), "c") == ["d"]
    assert bundled(engine_of(members), "a", "c") == ["e"]


def test_the_rule_can_be_switched_off_and_used_elsewhere(members: dict[str, Member]) -> None:
    engine = engine_of(members)
    off = "rules:\n  - {name: substitutes, action: filter, substitutes: true, active: false}\n"
    assert bundled(engine.with_rules(read(off.encode(), "rules").over(STANDARD)), "a") == ["b", "c", "e"]
    some = "rules:\n  - {name: own, action: filter, substitutes: true, items: 'item_id == \"b\"'}\n"
    assert bundled(engine.with_rules(read(some.encode(), "rules").over(Rules(rules=()))), "a") == ["c", "e"]


def test_met_and_substitutes_are_two_rules() -> None:
    with pytest.raises(Exception, match="make two rules"):
        read(b"rules:\n  - {name: x, action: filter, met: true, substitutes: true}\n", "rules")
