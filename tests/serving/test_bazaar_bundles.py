"""In the bazaar a substitute is of the same type, and a visit takes one of a type: no bundle may hold one."""

from pathlib import Path

import pandas as pd

from serving.current import current_release
from serving.engine import Engine
from serving.instances import parse


def test_no_bundle_holds_a_substitute_of_what_is_in_the_basket(bazaar: Path) -> None:
    release = current_release(bazaar)
    assert release is not None
    engine = Engine.load(release)
    truth = pd.read_parquet(bazaar.parent / "shop" / "truth" / "items.parquet").set_index("item_id")
    known = [item for item in truth.index[~truth["photo_only"]] if item in engine.catalogue.rows]
    asked = [parse({"scenario": "bundle", "item_ids": [item], "k": 20}) for item in known]
    kinds = truth["type"]
    held = alike = 0
    for item, answer in zip(known, engine.answer(asked, None, engine.as_of), strict=True):
        found = [one["item_id"] for one in answer["items"] if not truth["photo_only"][one["item_id"]]]
        assert [other for other in found if kinds[other] == kinds[item]] == []
        held += len(found)
        alike += int((kinds[known] == kinds[item]).sum()) - 1
    assert held > 10 * len(known)
    assert alike > len(known) / 2  # there was something to keep out
