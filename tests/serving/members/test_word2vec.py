from pathlib import Path

import numpy as np
import pytest
from member_contract import MemberContract, planted_shop

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_text.word2vec import Word2vecConfig, choose, train_word2vec
from serving.catalogue import Catalogue
from serving.members.word2vec import Word2vec
from serving.queries import RECOMMEND, SIMILAR, Queries
from serving.states import UserStates

SMALL = Word2vecConfig(embedding_size=16, epochs=60)


class TestWord2vec(MemberContract):
    member = Word2vec
    config = Word2vecConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_word2vec(prepared, cut, folder, choose(prepared, cut, seed, SMALL), seed)


def test_scores_by_hand() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 0]], dtype=np.float32)
    member = Word2vec(vectors, np.array([0, 0.5, 0], np.float32), half_life=1.0, count_power=1.0)
    states = UserStates.from_items([[0], [2]], 0)
    np.testing.assert_allclose(member.score_all(Queries(SIMILAR, states))[0], [1, 0.6, np.nan], rtol=1e-6)
    known, unknown = member.score_all(Queries(RECOMMEND, states))
    np.testing.assert_allclose(known, [1, 1.1, np.nan], rtol=1e-6)
    assert np.isnan(unknown).all()


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    shop = planted_shop()
    train_word2vec(shop, shop.split.test, tmp_path, SMALL, 0)
    with pytest.raises(ReleaseError, match="16 items"):
        Word2vec.load(tmp_path, Catalogue(shop.items.iloc[:3]))
