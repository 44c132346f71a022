from pathlib import Path

import numpy as np
import pytest
import torch
from member_contract import MemberContract, planted_shop
from text_parts import real_encoder, vectors_of

from components.common.prepared import Cut, Prepared
from components.train_text.projection import Projection
from components.train_text.text import TextConfig, train_text_member
from serving.catalogue import Catalogue
from serving.members.text import Text, leaning, unit
from serving.queries import SEARCH, SIMILAR, Queries
from serving.states import UserStates


class TestText(MemberContract):
    member = Text
    config = TextConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_text_member(prepared, vectors_of(prepared.items), cut, folder, seed)


class TestTextOrdered(TestText):
    protocol = "leave-one-out"


@pytest.fixture
def planted(tmp_path: Path) -> Text:
    prepared = planted_shop()
    train_text_member(prepared, vectors_of(prepared.items), prepared.split.test, tmp_path, 0)
    return Text.load(tmp_path, Catalogue(prepared.items))


def test_exported_equals_the_torch_form(planted: Text, tmp_path: Path) -> None:
    anchors = [[0], [5, 2], [9]]
    items = torch.from_numpy(planted.vectors[planted.document_of])
    histories = torch.stack([items[anchor].mean(dim=0) for anchor in anchors])
    trained = Projection(np.load(tmp_path / "projection.npy", allow_pickle=False))(histories, items)
    scores = planted.score_all(Queries(SIMILAR, UserStates.from_items(anchors, 0)))
    np.testing.assert_allclose(scores, trained.detach().numpy(), atol=1e-5)


def test_a_query_is_compared_in_the_encoders_own_space(planted: Text) -> None:
    vectors = real_encoder().encode_queries(["sprinkler for the garden"])
    states = UserStates.from_items([[]], 0)
    scores = planted.score_all(Queries(SEARCH, states, ("",), vectors))
    asked = leaning(vectors, planted.vectors)
    np.testing.assert_allclose(scores, (asked @ planted.vectors.T)[:, planted.document_of], atol=1e-6)
    assert set(np.argsort(-scores[0])[:5] % 3) == {1}


def test_without_query_vectors_nothing_is_scored(planted: Text) -> None:
    states = UserStates.from_items([[]], 0)
    assert np.isnan(planted.score_all(Queries(SEARCH, states, ("hose",)))).all()


def test_without_events_it_is_the_frozen_encoder(tmp_path: Path) -> None:
    shop = planted_shop()
    cut = Cut(name="test", role="test", members="final")
    vectors = vectors_of(shop.items)
    alone = Prepared(shop.events.iloc[:0], shop.items, shop.users, shop.split, shop.shop)
    train_text_member(alone, vectors, cut, tmp_path, 0)
    scores = Text.load(tmp_path, Catalogue(shop.items)).score_all(Queries(SIMILAR, UserStates.from_items([[3]], 0)))
    np.testing.assert_allclose(scores[0], vectors @ vectors[3], atol=1e-5)


def test_a_query_leans_towards_what_lies_nearest() -> None:
    """Of two documents as near to the query, the one among its nearest neighbours comes first."""
    crowd = np.array([[0.9, 0.1, 0.0]] * 5, dtype=np.float32)
    pair = np.array([[0.6, 0.6, 0.0], [0.6, -0.6, 0.0]], dtype=np.float32)
    vectors = unit(np.concatenate([crowd, pair]))
    asked = np.array([[1.0, 0.0, 0.0], [np.nan] * 3], dtype=np.float32)
    assert vectors[5] @ asked[0] == vectors[6] @ asked[0]
    leant = leaning(asked, vectors)
    assert leant[0] @ vectors[5] > leant[0] @ vectors[6]
    np.testing.assert_allclose(np.linalg.norm(leant[0]), 1, rtol=1e-6)
    assert np.isnan(leant[1]).all()
    # by hand: (1, 0, 0) + .5 * (.9, .1, 0) / |(.9, .1)|
    by_hand = np.array([1 + 0.45 / 0.82**0.5, 0.05 / 0.82**0.5, 0])
    np.testing.assert_allclose(leant[0], by_hand / np.linalg.norm(by_hand), rtol=1e-5)
