import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import USERS, MemberContract, group_of, planted_shop
from scipy import sparse

from components.common import columns as c
from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_text.profile import ProfileConfig, choose, train_profile
from serving.catalogue import Catalogue
from serving.members.profile import Profile, traits
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

PROFILES = {f"u{user:02d}": json.dumps({"club": int(group_of(np.array([user]))[0])}) for user in range(USERS)}


def with_profiles(shop: Prepared) -> Prepared:
    """The planted shop, whose users' profiles name their group."""
    users = pd.DataFrame({c.USER_ID: list(PROFILES), c.PROFILE: list(PROFILES.values())})
    return Prepared(shop.events, shop.items, users, shop.split, shop.shop)


class TestProfile(MemberContract):
    member = Profile
    config = ProfileConfig

    @pytest.fixture
    def prepared(self) -> Prepared:
        return with_profiles(planted_shop(protocol=self.protocol))

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_profile(prepared, cut, folder, choose(prepared, cut, seed))

    def queries(self, states: UserStates) -> Queries:
        known = tuple(PROFILES.get(user, "{}") for user in states.user_ids)
        return Queries(RECOMMEND, replace(states, profiles=known))


class TestProfileOrdered(TestProfile):
    protocol = "leave-one-out"


def test_a_user_without_any_history_gets_what_such_users_meet(tmp_path: Path) -> None:
    shop = with_profiles(planted_shop())
    train_profile(shop, shop.split.test, tmp_path, ProfileConfig(strength=1.0))
    catalogue = Catalogue(shop.items)
    member = Profile.load(tmp_path, catalogue)
    rows = [{c.PROFILE: '{"club": 2}'}, {c.PROFILE: '{"club": "unheard of"}'}]
    fresh, odd = member.score_all(
        Queries(RECOMMEND, UserStates.from_rows(["new", "odd"], rows, np.array([0, 0]), catalogue))
    )
    assert set(np.argsort(-fresh)[:5] % 3) == {2}
    assert np.isnan(odd).all()


def test_states_that_carry_no_profiles_are_not_scored() -> None:
    member = Profile(["a:b"], {}, sparse.csr_matrix((1, 2), dtype=np.float32), np.ones(2, np.float32), 1.0)
    assert np.isnan(member.score_all(Queries(RECOMMEND, UserStates.from_items([[0]], 0)))).all()


@pytest.mark.parametrize("profile", ["", "[1]", "null", "{}", '{"story": "' + "long " * 40 + '"}', '{"x": null}'])
def test_what_says_nothing_names_no_trait(profile: str) -> None:
    assert traits(profile, {}) == ()


def test_a_number_falls_into_its_band() -> None:
    edges = {"age": [18.0, 30.0]}
    found = [traits(json.dumps({"age": age}), edges) for age in (17, 18, 29.5, 99, "unknown")]
    assert found == [("age:band 0",), ("age:band 1",), ("age:band 1",), ("age:band 2",), ()]


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    shop = with_profiles(planted_shop())
    train_profile(shop, shop.split.test, tmp_path, ProfileConfig())
    with pytest.raises(ReleaseError, match="16 items"):
        Profile.load(tmp_path, Catalogue(shop.items.iloc[:3]))
