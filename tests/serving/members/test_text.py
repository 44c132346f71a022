from pathlib import Path

import numpy as np
import pytest
import torch
from member_contract import MemberContract, planted_shop
from text_parts import real_encoder, vectors_of

from components.common.prepared import Cut, Prepared
from components.train_text.projection import Projection
from components.train_text.text import TextConfig, train_text_member
from serving import kernels
from serving.arrays import PAD, Floats, top_k
from serving.catalogue import Catalogue
from serving.hidden import Hidden
from serving.members.text import NEAREST, Text, leaning, unit
from serving.opinion import Rows
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
    asked = leaning(vectors, planted.vectors, top_k(vectors @ planted.vectors.T, NEAREST))
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
    leant = leaning(asked, vectors, np.array([[0, 1, 2, 3, 4], [PAD] * NEAREST], dtype=np.int32))
    assert leant[0] @ vectors[5] > leant[0] @ vectors[6]
    np.testing.assert_allclose(np.linalg.norm(leant[0]), 1, rtol=1e-6)
    assert np.isnan(leant[1]).all()
    # by hand: (1, 0, 0) + .5 * (.9, .1, 0) / |(.9, .1)|
    by_hand = np.array([1 + 0.45 / 0.82**0.5, 0.05 / 0.82**0.5, 0])
    np.testing.assert_allclose(leant[0], by_hand / np.linalg.norm(by_hand), rtol=1e-5)


def crowded(n_items: int = 900, documents: int = 700) -> tuple[Text, Queries]:
    """Items that share documents, and nine queries, the third of which has no vector (a photo asks alone)."""
    draw = np.random.default_rng(0)
    vectors = unit(draw.standard_normal((documents, 48)).astype(np.float32))
    place = draw.integers(0, documents, n_items).astype(np.int32)
    member = Text(vectors, place, np.eye(48, dtype=np.float32), np.zeros(n_items, np.float32), 8.0, 0.5)
    asked = unit(draw.standard_normal((9, 48)).astype(np.float32))
    asked[2] = np.nan
    return member, Queries(SEARCH, UserStates.from_items([[]] * 9, 0), ("",) * 9, asked)


HIDDEN = Hidden(np.arange(900) % 7 == 0, np.flatnonzero(np.arange(900) % 7 == 0))


@pytest.mark.skipif(not kernels.scans, reason="this processor has no VNNI: whole rows are read")
def test_what_a_query_finds_by_eight_bits_is_what_whole_rows_say() -> None:
    member, queries = crowded()
    brief, whole = member.opinion(queries, HIDDEN), Rows.masked(by_floats(member, queries), HIDDEN)
    assert brief is not None
    assert not isinstance(brief, Rows)
    np.testing.assert_array_equal(brief.best(40), whole.best(40))
    assert (brief.best(40)[2] == PAD).all()
    candidates = np.arange(0, 900, 5, dtype=np.int32)[None].repeat(9, axis=0)
    shown = ~HIDDEN.at(candidates)
    np.testing.assert_allclose(brief.at(candidates)[shown], whole.at(candidates)[shown], atol=1e-6)


def by_floats(member: Text, queries: Queries) -> Floats:
    """(n, n_items) without eight bits: two whole products."""
    assert queries.text_vectors is not None
    asked = queries.text_vectors
    near = top_k(asked @ member.vectors.T, NEAREST)
    scores: Floats = (leaning(asked, member.vectors, near) @ member.vectors.T)[:, member.document_of]
    return scores


@pytest.mark.skipif(not kernels.scans, reason="this processor has no VNNI: whole rows are read")
def test_a_query_is_answered_alone_as_among_others_bit_by_bit() -> None:
    member, queries = crowded()
    together = member.opinion(queries, HIDDEN)
    assert together is not None
    assert queries.text_vectors is not None
    best = together.best(40)
    for row in range(9):
        one = Queries(SEARCH, UserStates.from_items([[]], 0), ("",), queries.text_vectors[row : row + 1])
        alone = member.opinion(one, HIDDEN)
        assert alone is not None
        np.testing.assert_array_equal(alone.best(40)[0], best[row])
        np.testing.assert_array_equal(alone.at(best[row : row + 1])[0], together.at(best)[row])


def test_without_query_vectors_or_that_instruction_whole_rows_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    member, queries = crowded()
    assert member.opinion(Queries(SEARCH, queries.states, queries.texts), HIDDEN) is None
    found = member.score_all(queries)
    monkeypatch.setattr(kernels, "scans", False)
    assert member.opinion(queries, HIDDEN) is None
    np.testing.assert_allclose(member.score_all(queries), found, atol=1e-6)
