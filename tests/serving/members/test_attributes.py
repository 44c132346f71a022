from pathlib import Path

import numpy as np
import pytest
from member_contract import COLD, MemberContract, planted_shop, planted_states
from scipy import sparse

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_text.attributes import AttributesConfig, choose, incidence_of, train_attributes
from serving.catalogue import Catalogue
from serving.members.attributes import Attributes
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.states import UserStates


class TestAttributes(MemberContract):
    member = Attributes
    config = AttributesConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        ones = incidence_of(prepared, AttributesConfig())
        train_attributes(prepared, cut, folder, choose(prepared, cut, "fast", seed, ones), seed)


class TestAttributesOrdered(TestAttributes):
    protocol = "leave-one-out"


@pytest.fixture
def by_hand() -> Attributes:
    """Items: 0 is red, 1 is green, 2 is red and green, 3 is nothing. Who met red meets green; green leads nowhere."""
    rows = sparse.csr_matrix(np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], dtype=np.float32))
    transitions = np.array([[0, 1], [0, 0]], dtype=np.float32)
    return Attributes(rows, transitions, np.array([0, 0, 0.5, 0.5], np.float32), half_life=1.0, count_power=1.0)


def test_scores_by_hand(by_hand: Attributes) -> None:
    states = UserStates.from_items([[0], [1], [3]], 0)
    red, green, nothing = by_hand.score_all(Queries(SIMILAR, states))
    np.testing.assert_allclose(red, [0, 1, 0.8, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(green, [0, 0, 0, np.nan])
    assert np.isnan(nothing).all()
    wanted = by_hand.score_all(Queries(RECOMMEND, states))[0]
    np.testing.assert_allclose(wanted, [0, 1, 1.3, np.nan], rtol=1e-6)


def test_an_item_nobody_ever_met_is_recommended_to_its_kind(tmp_path: Path) -> None:
    """The cold item is of group 0: it ranks before every item of the other groups for those users, and only them."""
    shop = planted_shop()
    cut = shop.split.test
    train_attributes(shop, cut, tmp_path, AttributesConfig(prior_weight=0.1), 0)
    member = Attributes.load(tmp_path, Catalogue(shop.items))
    scores = member.score_all(Queries(RECOMMEND, planted_states(shop, cut, [0, 1])))
    others = [item for item in range(COLD) if item % 3]
    assert (scores[0, COLD] > scores[0, others]).all()
    assert (scores[1, COLD] < scores[1, [item for item in range(COLD) if item % 3 == 1]]).all()


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    shop = planted_shop()
    train_attributes(shop, shop.split.test, tmp_path, AttributesConfig(), 0)
    with pytest.raises(ReleaseError, match="16 items"):
        Attributes.load(tmp_path, Catalogue(shop.items.iloc[:3]))
