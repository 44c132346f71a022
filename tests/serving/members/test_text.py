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
from serving.members.text import Text
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
    np.testing.assert_allclose(scores, (vectors @ planted.vectors.T)[:, planted.document_of], atol=1e-6)
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
