import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from feature_shop import write_journey
from member_contract import USERS, planted_shop
from numpy.typing import NDArray

from benchmarks.quality.case import write_case
from components.common import columns as c
from components.common.errors import ConfigError
from components.common.prepared import Prepared
from components.evaluate.relevance import relevant
from components.prepare.run import prepare
from components.train_cf.tuning import hold_out

COLUMNS = {"users", "items", "weight", "at", "visit"}


def arrays(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    with np.load(folder / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def pairs(found: dict[str, NDArray[Any]], name: str) -> list[list[int]]:
    """The items of each row of a CSR."""
    starts = found[f"{name}_indptr"]
    return [found[f"{name}_indices"][a:b].tolist() for a, b in pairwise(starts)]


def planted_case(folder: Path, task: str, protocol: str = "temporal", cut: int = 0) -> tuple[Prepared, Path]:
    shop = planted_shop(protocol=protocol)
    shop.save(folder / "prepared")
    write_case(folder / "prepared", shop.split.cuts[cut].name, task, folder / "case")
    return shop, folder / "case"


@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
def test_a_planted_shop_by_hand(tmp_path: Path, protocol: str) -> None:
    """Four visits are learned from, the fifth is asked for, and the fourth is what tuning holds back."""
    _, case = planted_case(tmp_path, "discovery", protocol)
    train, history, asked, inner = (arrays(case, name) for name in ("train", "history", "asked", "inner"))
    assert set(train) == set(history) == COLUMNS
    assert len(train["users"]) == 4 * USERS
    assert history["visit"].max() == 3
    assert asked["users"].tolist() == inner["asked"].tolist() == list(range(USERS))
    for user, (seen, before, answer) in enumerate(
        zip(pairs(asked, "seen"), pairs(inner, "seen"), pairs(inner, "relevant"), strict=True)
    ):
        assert {item % 3 for item in seen} == {user % 3}
        assert (len(seen), len(before), len(answer)) == (4, 3, 1)
        assert set(before) | set(answer) == set(seen)
    facts = json.loads((case / "case.json").read_text())
    assert (facts["name"], facts["task"], facts["n_users"], facts["n_items"]) == ("case", "discovery", USERS, 16)
    assert facts["clock"] == ("days" if protocol == "temporal" else "visits")


def test_strict_leave_one_out_knows_more_of_users_than_was_learned_from(tmp_path: Path) -> None:
    shop = planted_shop(protocol="leave-one-out")
    shop.save(tmp_path / "prepared")
    write_case(tmp_path / "prepared", "test", "next_basket", tmp_path / "case")
    train, history = arrays(tmp_path / "case", "train"), arrays(tmp_path / "case", "history")
    assert (train["visit"].max(), history["visit"].max()) == (3, 4)


def test_next_basket_hides_nothing(tmp_path: Path) -> None:
    _, case = planted_case(tmp_path, "next_basket", cut=1)
    assert set(arrays(case, "asked")) == {"users"}
    assert "seen_indptr" not in arrays(case, "inner")


@pytest.mark.parametrize(("cut", "task", "told"), [("best", "discovery", "fit_1, test"), ("test", "x", "next_basket")])
def test_what_is_not_there_is_said(tmp_path: Path, cut: str, task: str, told: str) -> None:
    planted_shop().save(tmp_path / "prepared")
    with pytest.raises(ConfigError, match=told):
        write_case(tmp_path / "prepared", cut, task, tmp_path / "case")


def test_a_real_shop_is_asked_and_tuned_as_the_members_are(tmp_path: Path) -> None:
    write_journey(tmp_path / "tables", 60)
    prepare(tmp_path / "tables", tmp_path / "prepared", "temporal", "fast", 3)
    shop, case = Prepared.load(tmp_path / "prepared"), tmp_path / "case"
    write_case(tmp_path / "prepared", "test", "discovery", case)
    train, asked, inner = (arrays(case, name) for name in ("train", "asked", "inner"))
    cut = shop.split.test
    assert train["at"].max() < (cut.as_of or 0)
    assert asked["users"].tolist() == relevant(shop, cut, "discovery").users.tolist()
    held = hold_out(shop, cut, "fast", shop.split.seed)
    assert len(inner["users"]) == len(held.visits)
    assert inner["relevant_indices"].tolist() == held.relevant.indices.tolist()
    assert inner["relevant_indptr"].tolist() == held.relevant.indptr.tolist()
    categories = arrays(case, "items")["category"]
    names = [c.CATEGORY_SEPARATOR.join(path.split(c.CATEGORY_SEPARATOR)[:2]) for path in shop.items[c.CATEGORY]]
    assert len(set(zip(categories.tolist(), names, strict=True))) == len(set(names)) == categories.max() + 1
