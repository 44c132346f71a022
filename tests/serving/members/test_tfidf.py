from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import MemberContract, planted_shop

from components.common import columns as c
from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_text.tfidf import TfidfConfig, documents, terms_of, train_tfidf, vocabulary
from serving.catalogue import Catalogue
from serving.members.tfidf import Tfidf
from serving.queries import SEARCH, SIMILAR, Queries
from serving.states import UserStates


class TestTfidf(MemberContract):
    member = Tfidf
    config = TfidfConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_tfidf(prepared, cut, folder, seed)


class TestTfidfOrdered(TestTfidf):
    protocol = "leave-one-out"


@pytest.fixture
def planted(tmp_path: Path) -> Tfidf:
    prepared = planted_shop()
    train_tfidf(prepared, prepared.split.test, tmp_path)
    return Tfidf.load(tmp_path, Catalogue(prepared.items))


def test_terms_hold_words_brand_and_every_level() -> None:
    items = pd.DataFrame({c.TITLE: ["Mugs"], c.DESCRIPTION: [""], c.CATEGORY: ["Home > Kitchen"], c.BRAND: ["Acme"]})
    levels = ["category:home", "category:home > kitchen"]
    assert terms_of(items) == [["mug", "home", "kitchen", "acme", *levels, "brand:acme"]]


def test_vocabulary_drops_lonely_terms_and_keeps_the_most_frequent() -> None:
    tokens = [["a", "b"], ["a", "b", "c"], ["a"]]
    assert vocabulary(tokens, TfidfConfig()) == ["a", "b"]
    assert vocabulary(tokens, TfidfConfig(most_terms=1)) == ["a"]


def test_documents_by_hand() -> None:
    """Terms a (in all 3 items) and b (in 1): idf 1 and 1 + log 2; a twice weighs 1 + log 2."""
    rows, document_of, idf = documents([["a", "a"], ["a", "b"], ["a", "a"]], ["a", "b"])
    np.testing.assert_allclose(idf, [1, 1 + np.log(2)], rtol=1e-6)
    assert document_of.tolist() == [0, 1, 0]
    weight = np.array([1.0, 1 + np.log(2)])
    np.testing.assert_allclose(rows.toarray(), [[1, 0], weight / np.linalg.norm(weight)], rtol=1e-6)


def test_an_item_is_most_similar_to_itself(planted: Tfidf) -> None:
    scores = planted.score_all(Queries(SIMILAR, UserStates.from_items([[4]], 0)))[0]
    assert scores[4] == pytest.approx(1, abs=1e-6)
    assert scores.argmax() == 4 or scores[4] == scores.max()


def test_a_query_finds_its_words(planted: Tfidf) -> None:
    found = planted.score_all(Queries(SEARCH, UserStates.from_items([[], []], 0), ("garden hoses", "nothing known")))
    assert set(np.argsort(-found[0])[:5] % 3) == {1}
    assert np.isnan(found[1]).all()


def test_a_catalogue_without_events_still_has_similar_items(tmp_path: Path) -> None:
    shop = planted_shop()
    cut = Cut(name="test", role="test", members="final")
    alone = Prepared(shop.events.iloc[:0], shop.items, shop.users, shop.split, shop.shop)
    train_tfidf(alone, cut, tmp_path)
    member = Tfidf.load(tmp_path, Catalogue(shop.items))
    scores = member.score_all(Queries(SIMILAR, UserStates.from_items([[0]], 0)))[0]
    assert set(np.argsort(-scores)[:6] % 3) == {0}
    np.testing.assert_array_equal(member.prior, 1)


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    shop = planted_shop()
    train_tfidf(shop, shop.split.test, tmp_path)
    with pytest.raises(ReleaseError, match="16 items"):
        Tfidf.load(tmp_path, Catalogue(shop.items.iloc[:3]))


def test_chinese_words_meet_in_titles_and_in_queries(tmp_path: Path) -> None:
    """Two pairs that share a Chinese word; the query names one in full-width letters, too."""
    titles = ["无线蓝牙耳机", "头戴式耳机 Sony", "夏季连衣裙", "碎花连衣裙 Zara"]
    shop = planted_shop()
    plain = {c.TITLE: titles, c.DESCRIPTION: "", c.CATEGORY: "", c.BRAND: ""}
    alone = Prepared(shop.events.iloc[:0], shop.items.iloc[:4].assign(**plain), shop.users, shop.split, shop.shop)
    train_tfidf(alone, Cut(name="test", role="test", members="final"), tmp_path)
    member = Tfidf.load(tmp_path, Catalogue(alone.items))
    like = member.score_all(Queries(SIMILAR, UserStates.from_items([[0], [3]], 0)))
    assert like[0, 1] > like[0, 2:].max()
    assert like[1, 2] > like[1, :2].max()
    asked = member.score_all(Queries(SEARCH, UserStates.from_items([[], []], 0), ("耳机", "连衣裙ＺＡＲＡ")))
    assert set(np.argsort(-asked[0])[:2]) == {0, 1}
    assert set(np.argsort(-asked[1])[:2]) == {2, 3}
