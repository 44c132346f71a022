import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import planted_shop

from components.common import columns as c
from components.train_text.profile import ProfileConfig, bands, train, train_profile


def test_lifts_by_hand() -> None:
    """Two old and two young users; item 0 is met by both old ones, item 1 by one of each, item 2 by nobody.

    With 2 users shrunk in, half of them old: lift of old for item 0 = log(((2 + 1) / (2 + 2)) / (1 / 2)) = log 1.5.
    """
    profiles = ['{"age": "old"}', '{"age": "old"}', '{"age": "young"}', '{"age": "young"}', "{}"]
    met = pd.DataFrame({c.USER: [0, 1, 1, 2, 4], c.ITEM: [0, 0, 1, 1, 1], "weight": 1.0})
    member = train(profiles, met, 3, ProfileConfig(shrink=2.0, least_users=1))
    assert member.terms == ["age:old", "age:young"]
    lifts = member.lifts.toarray()
    np.testing.assert_allclose(lifts, [[np.log(1.5), 0, 0], [np.log(0.5), 0, 0]], atol=1e-6)
    np.testing.assert_allclose(member.prior, np.log1p([2, 3, 0]), rtol=1e-6)


def test_only_columns_of_many_numbers_become_bands() -> None:
    profiles = [json.dumps({"age": 20 + row, "kids": row % 3, "vip": True, "zip": f"z{row}"}) for row in range(30)]
    found = bands([*profiles, "{}"])
    assert list(found) == ["age"]
    assert found["age"] == pytest.approx(np.quantile(np.arange(20, 50), np.arange(1, 6) / 6))


def test_rare_traits_are_left_out_and_the_most_frequent_kept() -> None:
    profiles = ['{"a": "x"}'] * 3 + ['{"a": "y"}'] * 2 + ['{"a": "z"}']
    met = pd.DataFrame({c.USER: [0], c.ITEM: [0], "weight": 1.0})
    assert train(profiles, met, 1, ProfileConfig(least_users=2)).terms == ["a:x", "a:y"]
    assert train(profiles, met, 1, ProfileConfig(least_users=1, most_terms=1)).terms == ["a:x"]


def test_a_shop_without_profiles_gets_no_member(tmp_path: Path) -> None:
    shop = planted_shop()
    train_profile(shop, shop.split.test, tmp_path, ProfileConfig())
    assert not list(tmp_path.iterdir())
