from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import COLD, WORDS, MemberContract, group_of

from components.common import columns as c
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from serving.arrays import Bools, Ints
from serving.catalogue import Catalogue
from serving.members.named import Named
from serving.queries import SEARCH, Queries
from serving.states import UserStates


class TestNamed(MemberContract):
    member = Named

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        write_json(folder / "member.json", {"kind": "named"})

    def queries(self, states: UserStates) -> Queries:
        names = ["" if user == "x" else f"brand {_word(user)}" for user in states.user_ids]
        return Queries(SEARCH, states, tuple(names))

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        right: Bools = group_of(users)[:, None] == group_of(np.arange(COLD + 1))[None, :]
        return right


def _word(user: str) -> str:
    return WORDS[int(user[1:]) % len(WORDS) if user.startswith("u") else 0].split()[-1]


ITEMS = pd.DataFrame(
    [
        ("a", "Dell", "Computers > Laptops"),
        ("b", "Dell", "Computers > Laptop Bags"),
        ("c", "Hewlett Packard", "Computers > Laptops"),
        ("d", "", ""),
    ],
    columns=[c.ITEM_ID, c.BRAND, c.CATEGORY],
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dell", [1.0, 1.0, np.nan, np.nan]),
        ("DELL laptop", [1.0, 0.5, 0.5, np.nan]),  # two of two words, one, one
        ("laptop bag dell", [2 / 3, 1.0, 1 / 3, np.nan]),
        ("hewlett", [np.nan] * 4),  # half a name is none
        ("cheap hewlett-packard", [np.nan, np.nan, 2 / 3, np.nan]),
        ("computers", [np.nan] * 4),  # the first level says little
        ("", [np.nan] * 4),
    ],
)
def test_a_name_counts_by_its_share_of_the_query(query: str, expected: list[float]) -> None:
    asked = Queries(SEARCH, UserStates.from_items([[]], 0), (query,))
    np.testing.assert_allclose(Named(Catalogue(ITEMS)).score_all(asked)[0], expected, rtol=1e-6)


def test_a_word_that_names_brand_and_category_counts_once() -> None:
    items = pd.DataFrame({c.ITEM_ID: ["a"], c.BRAND: ["Mugs"], c.CATEGORY: ["Mugs"]})
    asked = Queries(SEARCH, UserStates.from_items([[]], 0), ("mug",))
    assert Named(Catalogue(items)).score_all(asked).tolist() == [[1.0]]
