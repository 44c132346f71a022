from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from member_contract import COLD, MemberContract, group_of, planted_shop
from text_parts import real_encoder, vectors_of

from components.common.prepared import Cut, Prepared
from components.train_text.media import Photos, SeenConfig, joint_photos, train_image_member, train_seen_member
from components.train_text.sight import SightConfig, Words, learn
from serving.arrays import Floats
from serving.catalogue import Catalogue
from serving.members.base import Member
from serving.members.image import Image
from serving.members.seen import Audio, Seen, Video
from serving.members.text import unit
from serving.queries import RECOMMEND, SEARCH, SIMILAR, Queries
from serving.states import UserStates

BLIND = 4  # a warm item without a photo
SMALL = SeenConfig(sight=SightConfig(fewest_items=10, hidden_size=32, text_size=8, epochs=60))


def looks_of(prepared: Prepared, dims: int = 24) -> Floats:
    """Items of a group look alike, the cold one like those of its group; one has no photo."""
    rng = np.random.default_rng(0)
    rows = np.arange(len(prepared.items))
    centres = rng.standard_normal((3, dims))
    vectors = unit((centres[group_of(rows)] + 0.2 * rng.standard_normal((len(rows), dims))).astype(np.float32))
    vectors[BLIND] = np.nan
    return vectors


def photos_of(prepared: Prepared) -> Photos:
    return joint_photos(prepared, looks_of(prepared), vectors_of(prepared.items), 0, SMALL)


class SeenContract(MemberContract):
    config = SeenConfig

    def right_answers(self, prepared: Prepared, cut: Cut, users: np.ndarray) -> np.ndarray:
        right = super().right_answers(prepared, cut, users)
        right[:, BLIND] = False
        right[:, COLD] = group_of(users) == group_of(np.array([COLD]))[0]
        return right

    def test_what_has_no_file_is_not_scored(self, loaded: Member, states: UserStates) -> None:
        scores = self.scores(loaded, states)
        assert np.isnan(scores[:, BLIND]).all()
        assert np.isfinite(np.delete(scores, BLIND, axis=1)).all()


class TestImage(SeenContract):
    member = Image

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_image_member(prepared, photos_of(prepared), cut, folder, seed, SMALL)


class TestImageOrdered(TestImage):
    protocol = "leave-one-out"


class TestAudio(SeenContract):
    member = Audio

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_seen_member(prepared, "audio", looks_of(prepared), cut, folder, seed)


class TestVideo(SeenContract):
    member = Video

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_seen_member(prepared, "video", looks_of(prepared), cut, folder, seed)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Image:
    prepared, folder = planted_shop(), tmp_path_factory.mktemp("image")
    train_image_member(prepared, photos_of(prepared), prepared.split.test, folder, 0, SMALL)
    return Image.load(folder, Catalogue(prepared.items))


def nobody(questions: int = 1) -> UserStates:
    return UserStates.from_items([[] for _ in range(questions)], 0)


def test_a_photo_of_an_item_finds_the_item_first(planted: Image) -> None:
    vectors = looks_of(planted_shop())
    shown = [row for row in range(len(vectors)) if row != BLIND]
    found = planted.score_all(Queries(SIMILAR, nobody(len(shown)), image_vectors=vectors[shown]))
    assert np.nanargmax(found, axis=1).tolist() == shown
    assert np.isnan(found[:, BLIND]).all()


def test_words_find_what_looks_like_them(planted: Image) -> None:
    words = real_encoder().encode_queries(["violin strings rosin"])
    scores = planted.score_all(Queries(SEARCH, nobody(), ("violin strings rosin",), words))
    best = np.argsort(-np.nan_to_num(scores[0], nan=-9))[:4]
    assert set(group_of(best)) == {2}


def test_a_photo_and_words_are_worth_the_same(planted: Image) -> None:
    words, photo = real_encoder().encode_queries(["garden hose"]), looks_of(planted_shop())[[5]]
    asked = [
        Queries(SEARCH, nobody(), ("garden hose",), words),
        Queries(SEARCH, nobody(), ("",), words * np.float32(np.nan), photo),
        Queries(SEARCH, nobody(), ("garden hose",), words, photo),
    ]
    by_words, by_photo, both = (planted.score_all(queries) for queries in asked)
    np.testing.assert_allclose(both, (by_words + by_photo) / 2, rtol=1e-5)


def test_questions_without_a_photo_are_not_touched_by_one_that_has(planted: Image) -> None:
    states = UserStates.from_items([[3], []], 0)
    photo = np.full((2, 24), np.nan, np.float32)
    photo[1] = looks_of(planted_shop())[0]
    both = planted.score_all(Queries(SIMILAR, states, image_vectors=photo))
    alone = planted.score_all(Queries(SIMILAR, states.take(np.array([0]))))
    np.testing.assert_allclose(both[0], alone[0], atol=1e-6)
    assert np.nanargmax(both[1]) == 0


def test_an_anchor_without_a_photo_says_nothing_and_dilutes_nothing(planted: Image) -> None:
    asked = UserStates.from_items([[BLIND], [3], [3, BLIND]], 0)
    scores = planted.score_all(Queries(SIMILAR, asked))
    assert np.isnan(scores[0]).all()
    np.testing.assert_allclose(scores[1], scores[2], atol=1e-6)


def test_too_few_texts_teach_no_words(tmp_path: Path) -> None:
    prepared = planted_shop()
    photos = joint_photos(prepared, looks_of(prepared), vectors_of(prepared.items), 0, SeenConfig())
    train_image_member(prepared, photos, prepared.split.test, tmp_path, 0)
    member = Image.load(tmp_path, Catalogue(prepared.items))
    words = real_encoder().encode_queries(["hose"])
    assert np.isnan(member.score_all(Queries(SEARCH, nobody(), ("hose",), words))).all()
    scores = member.score_all(Queries(SIMILAR, UserStates.from_items([[3]], 0)))
    expected = looks_of(prepared) @ looks_of(prepared)[3]
    np.testing.assert_allclose(scores[0], expected, atol=1e-4)  # all directions kept: the encoder's own cosines


def test_a_text_never_teaches_the_network_that_reads_its_photo() -> None:
    prepared = planted_shop()
    words = Words.of(prepared.items, vectors_of(prepared.items), SMALL.sight)
    other = replace(words, targets=words.targets.copy())
    other.targets[7] *= -1  # another text, the same photo
    rows = np.arange(len(words.targets))
    first, second = (learn(looks_of(prepared), one, rows, 0, SMALL.sight) for one in (words, other))
    assert first is not None
    assert second is not None
    folds = np.random.default_rng(0).permutation(len(rows)) % SMALL.sight.folds
    moved = np.abs(first.suggested - second.suggested).max(axis=1)
    assert np.nanmax(moved[folds == folds[7]]) == 0
    assert np.nanmin(moved[folds != folds[7]]) > 0


def test_without_events_taste_is_looks(tmp_path: Path) -> None:
    shop = planted_shop()
    alone = Prepared(shop.events.iloc[:0], shop.items, shop.users, shop.split, shop.shop)
    train_seen_member(alone, "image", looks_of(shop), Cut(name="test", role="test", members="final"), tmp_path, 0)
    member = Seen.load(tmp_path, Catalogue(shop.items))
    states = UserStates.from_items([[3], [0, 6]], 0)
    np.testing.assert_allclose(
        member.score_all(Queries(RECOMMEND, states)), member.score_all(Queries(SIMILAR, states)), atol=1e-6
    )
