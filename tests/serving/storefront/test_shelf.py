"""What the page learns of items and of the release."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_release import small_release

from components.common import columns as c
from components.common.errors import InputError
from serving.catalogue import Catalogue
from serving.engine import Engine
from serving.storefront import shelf
from serving.storefront.own import OwnShop

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20


@pytest.fixture
def engine(release: Path) -> Engine:
    return Engine.load(release)


def test_unknown_cells_are_null_and_ids_of_any_shape_become_addresses(engine: Engine, tmp_path: Path) -> None:
    odd = "a/b ?#%é"
    (tmp_path / "a.jpg").write_bytes(JPEG)
    frame = engine.catalogue.items.copy()
    frame.loc[:2, c.PRICE] = [np.nan, np.inf, 2.5]
    frame[c.ITEM_ID] = [odd, *frame[c.ITEM_ID][1:]]
    frame[c.IMAGE] = ["a.jpg", "absent.jpg", *[None] * (len(frame) - 2)]
    frame[c.SENTIMENT] = [0.9, *[np.nan] * (len(frame) - 1)]
    frame[c.REVIEWS] = pd.Series([4] * len(frame), dtype="int64")
    engine.catalogue = Catalogue(frame)
    found = shelf.items(engine, [odd, "i01", "i02", "nobody's", "i02"], tmp_path)
    assert list(found) == [odd, "i01", "i02"]
    assert found[odd]["photo"] == "photos/a%2Fb%20%3F%23%25%C3%A9"
    assert [facts["price"] for facts in found.values()] == [None, None, 2.5]
    assert [facts["photo"] is None for facts in found.values()] == [False, True, True]
    assert [facts["sentiment"] for facts in found.values()] == [0.9, None, None]
    assert found["i02"]["reviews"] == 4
    assert {facts["photo"] for facts in shelf.items(engine, [odd, "i01"], None).values()} == {None}
    assert shelf.items(engine, [], tmp_path) == {}


def test_about_names_what_the_release_serves_and_no_user_without_the_shop_s_folder(
    engine: Engine, tmp_path: Path
) -> None:
    about = shelf.about(engine, None)
    assert about["scenarios"]["search"] == ["item_knn", "lexical", "popularity"]
    assert (about["users"], about["queries"]) == ([], [])
    known = shelf.about(engine, OwnShop(tmp_path, ("u1",), ("tea",)))
    assert (known["users"], known["queries"]) == (["u1"], ["tea"])


def test_a_scenario_without_a_blend_is_not_offered(tmp_path: Path) -> None:
    engine = Engine.load(small_release(tmp_path, tasks=("search", "discovery")))
    assert set(shelf.about(engine, None)["scenarios"]) == {"recommend", "search"}


@pytest.mark.parametrize("body", [b"", b"null", b'{"item_ids": null}', b"\xff", b"[" * 10_000])
def test_a_body_that_is_none_is_an_input_error(body: bytes) -> None:
    with pytest.raises(InputError, match="item_ids"):
        shelf.parse(body)
    assert shelf.parse(b'{"item_ids": ["a", "a"]}') == ["a", "a"]
