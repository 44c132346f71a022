"""The figures count what they say, and photos of real products tell kinds apart."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.media import (
    Case,
    K,
    ceiling,
    fashion,
    findable,
    flipkart,
    found_again,
    measure,
    precision,
    readings,
    unlearned,
    without,
)
from components.common import columns as c
from components.common.errors import InputError


def test_precision_is_the_share_of_the_anchor_s_kind() -> None:
    kinds = np.array([0, 0, 0, 1, -1])
    shown = np.array([[1, 2], [3, 0], [3, -1], [0, 1]], dtype=np.int32)
    found = precision(shown, np.array([0, 1, 2, 4]), kinds)
    assert found.anchors == 3  # nobody knows the kind of the last one
    assert found.precision == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.low < found.precision < found.high


def test_kinds_too_small_for_a_list_are_left_out() -> None:
    kinds = np.array([0] * (K + 1) + [1] * K + [-1])
    assert (findable(kinds) == [0] * (K + 1) + [-1] * (K + 1)).all()


def test_lists_are_judged_by_several_readings() -> None:
    kinds = np.array([0, 0, 0, 1, 1, 2, -1])
    anchors = np.array([0, 1, 3, 5, 6])
    assert ceiling(kinds, anchors) == pytest.approx((0.2 + 0.2 + 0.1 + 0) / 4)
    shown = np.array([[1, 3], [0, 2], [4, 0], [0, 1], [0, 1]], dtype=np.int32)
    plain, large, possible, half = readings("top", kinds, anchors)
    assert precision(shown, anchors, possible.kinds, possible.of).precision == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert precision(shown, anchors, plain.kinds).precision == pytest.approx((0.5 + 1 + 0.5 + 0) / 4)
    assert (large.kinds == -1).all()  # no kind has eleven items
    assert len(half.asked) == 3
    assert not set(half.asked) & set(np.random.default_rng(0).permutation(5)[:2])


def test_words_of_types_leave_the_titles_in_any_number() -> None:
    names = pd.DataFrame({"type": ["Sports Shoes", "Watches", "Dress"], "group": ["Accessories", None, "Box"]})
    titles = pd.Series(["Nike Red Shoe", "Watch, shoes!", "Dresses shirt for sport", "Accessory boxes in black"])
    assert without(titles, names).tolist() == ["Nike Red", "item", "shirt for", "in black"]


def test_nearest_photos_leave_out_the_anchor_and_what_has_none() -> None:
    photos = np.array([[1, 0], [0.9, 0.1], [np.nan, np.nan], [0, 1]], np.float32)
    assert unlearned(photos, np.array([0])).tolist() == [[1, 3, -1, -1]]


def test_data_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    for case in (fashion, flipkart):
        with pytest.raises(InputError, match="Set CUVEE_TEST_DATA"):
            case(tmp_path)


def test_the_shop_is_never_told_a_kind(shared_data: Path) -> None:
    for case in (fashion(shared_data), flipkart(shared_data)):
        assert not {c.CATEGORY, c.ATTRIBUTES} & set(case.items)
    plain = fashion(shared_data, with_types=False)
    words = set(" ".join(plain.items[c.TITLE]).lower().split())
    assert not {"shoes", "shirt", "shirts", "watch", "watches", "jeans", "heels"} & words
    assert (plain.items[c.IMAGE] == fashion(shared_data).items[c.IMAGE]).all()


@pytest.mark.long
def test_real_photos_are_worth_more_than_none(shared_data: Path, tmp_path: Path) -> None:
    """A slice: three kinds of fifty products, whose titles say nothing."""
    whole = fashion(shared_data)
    chosen = np.concatenate([np.flatnonzero(whole.kinds["type"] == kind)[:50] for kind in _largest(whole, 3)])
    items = whole.items.iloc[chosen].reset_index(drop=True).assign(**{c.TITLE: "item"})
    photos = tmp_path / "photos.zip"
    with zipfile.ZipFile(whole.photos) as source, zipfile.ZipFile(photos, "w") as target:
        for path in items[c.IMAGE]:
            target.writestr(Path(path).name, source.read(Path(path).name))
    case = Case("slice", items, {"type": whole.kinds["type"][chosen]}, photos)
    found = measure(case, tmp_path, 0)
    figures = found["precision@10"]
    assert isinstance(figures, dict)
    assert figures["type: photo"]["precision"] > 0.7 > 0.4 > figures["type: text"]["precision"]
    assert figures["type: text + photo"]["precision"] > 0.7
    assert found["found_again"] == [150, 150]
    assert callable(found_again)


def _largest(case: Case, count: int) -> list[int]:
    return [int(kind) for kind in np.argsort(-np.bincount(case.kinds["type"]), kind="stable")[:count]]
