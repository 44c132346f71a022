"""Text and photo in one representation: what is missing is left out of the mean."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.common.errors import ReleaseError
from components.train_text.joint import JointConfig, joint_blocks, pictured, write_joint_member
from components.train_text.sight import Words
from serving.arrays import Floats
from serving.catalogue import Catalogue
from serving.members.base import Member, load_members
from serving.members.joint import Joint
from serving.members.text import unit
from serving.queries import SIMILAR, Queries
from serving.states import UserStates

NAN = float("nan")
SAID = np.array([[1, 0], [0.6, 0.8], [NAN, NAN], [0, 1], [NAN, NAN]], np.float32)
LOOKS = np.array([[0, 1], [0, 1], [0.8, 0.6], [NAN, NAN], [NAN, NAN]], np.float32)


def asked(member: Member, *anchors: list[int]) -> Floats:
    return member.score_all(Queries(SIMILAR, UserStates.from_items(list(anchors), 0)))


@pytest.fixture
def member() -> Joint:
    return Joint((SAID, LOOKS), (0.25, 0.75))


def test_what_two_items_both_have_is_averaged_by_its_share(member: Joint) -> None:
    scores = asked(member, [0])[0]
    assert scores[1] == pytest.approx(0.25 * 0.6 + 0.75 * 1)
    assert scores[2] == pytest.approx(0.6)  # the photo alone, at full worth
    assert scores[3] == pytest.approx(0)  # the text alone
    assert np.isnan(scores[4])


def test_what_shares_nothing_is_not_scored(member: Joint) -> None:
    scores = asked(member, [3], [2], [4])
    assert np.isnan(scores[0]).tolist() == [False, False, True, False, True]  # a text against a photo
    assert np.isnan(scores[1]).tolist() == [False, False, False, True, True]
    assert np.isnan(scores[2]).all()


def test_several_anchors_are_one_mean_of_what_each_has(member: Joint) -> None:
    both, alone = asked(member, [0, 2]), asked(member, [0])
    assert both[0, 3] == pytest.approx(alone[0, 3])  # item 2 says nothing, so what item 0 says stays
    looks = unit(LOOKS[[0, 2]].mean(axis=0)[None])[0]
    assert both[0, 2] == pytest.approx(float(looks @ LOOKS[2]), abs=1e-6)


def test_batch_equals_single(member: Joint) -> None:
    anchors = [[0], [1, 3], [2], [4], [0, 1, 2]]
    together = asked(member, *anchors)
    for row, anchor in enumerate(anchors):
        np.testing.assert_allclose(together[row], asked(member, anchor)[0], atol=1e-6)


def words_of(targets: Floats) -> Words:
    return Words(targets, np.zeros(0, np.float32), np.zeros((0, 0), np.float32))


def clusters(n: int = 60, groups: int = 3) -> tuple[Floats, Floats, np.ndarray]:
    """Noisy texts and photos of three kinds; every fifth item has no photo, every seventh no text."""
    rng = np.random.default_rng(0)
    kinds = np.arange(n) % groups
    said, looks = (
        unit((rng.standard_normal((groups, 16))[kinds] + noise * rng.standard_normal((n, 16))).astype(np.float32))
        for noise in (1.1, 1.1)
    )
    looks[::5] = np.nan
    said[1::7] = 0
    return said, looks, kinds


def right(blocks: tuple[Floats, Floats], kinds: np.ndarray) -> float:
    scores = asked(Joint(blocks, (0.5, 0.5)), *([row] for row in range(len(kinds))))
    np.fill_diagonal(scores, -np.inf)
    best = np.argsort(-np.nan_to_num(scores, nan=-9), axis=1)[:, :10]
    return float((kinds[best] == kinds[:, None]).mean())


def test_neighbours_make_items_steadier_and_give_nobody_what_it_has_not() -> None:
    said, looks, kinds = clusters()
    plain = joint_blocks(words_of(said), looks, 0, JointConfig(neighbours=0))
    smooth = joint_blocks(words_of(said), looks, 0, JointConfig())
    assert right(smooth, kinds) > right(plain, kinds) + 0.03
    for before, after in zip(plain, smooth, strict=True):
        np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
    np.testing.assert_array_equal(np.isnan(smooth[1]).any(axis=1), np.isnan(looks).any(axis=1))
    np.testing.assert_array_equal(np.isnan(smooth[0]).any(axis=1), ~said.any(axis=1))


def test_a_large_catalogue_is_left_as_it_is() -> None:
    said, looks, _ = clusters()
    plain = joint_blocks(words_of(said), looks, 0, JointConfig(neighbours=0))
    bounded = joint_blocks(words_of(said), looks, 0, JointConfig(most_items=59))
    for one, other in zip(plain, bounded, strict=True):
        np.testing.assert_array_equal(one, other)


def test_words_that_show_in_photos_count_for_more_than_words_that_do_not() -> None:
    """Half of each text is its kind, half something that no photo shows: what it suggests is the kind."""
    rng = np.random.default_rng(0)
    kinds, makers = rng.integers(0, 3, 300), rng.integers(0, 3, 300)
    said = unit(np.hstack([np.eye(3)[kinds], np.eye(3)[makers]]).astype(np.float32))
    looks = unit((rng.standard_normal((3, 16))[kinds] + 0.5 * rng.standard_normal((300, 16))).astype(np.float32))
    looks[::5], said[1::7] = np.nan, np.nan
    found = pictured(said, looks, 0, JointConfig())
    assert found is not None
    np.testing.assert_array_equal(np.isnan(found).any(axis=1), np.isnan(said).any(axis=1))  # a photo is not needed
    likeness, told = np.nan_to_num(found) @ np.nan_to_num(found).T, ~np.isnan(found[:, 0])
    pairs = told[:, None] & told & ~np.eye(300, dtype=bool)
    same_kind, same_maker = kinds[:, None] == kinds, makers[:, None] == makers
    assert likeness[pairs & same_kind].mean() > 0.8 > 0.4 > likeness[pairs & ~same_kind & same_maker].mean()
    assert pictured(said[:99], looks[:99], 0, JointConfig()) is None  # too few to learn from


def test_an_item_s_own_photo_does_not_say_what_its_text_suggests() -> None:
    said, looks, _ = clusters(150)
    texts = np.where(said.any(axis=1, keepdims=True), said, np.nan)
    other = looks.copy()
    other[3] = -other[3]
    before, after = (pictured(texts, given, 0, JointConfig()) for given in (looks, other))
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before[3], after[3])
    assert np.abs(np.nan_to_num(before - after)).max() > 0  # those of the other parts have seen it


def test_what_was_written_is_read_with_the_same_scores(tmp_path: Path) -> None:
    said, looks, kinds = clusters()
    blocks = joint_blocks(words_of(said), looks, 0, JointConfig(text_share=0.3))
    write_joint_member(blocks, tmp_path / "joint", JointConfig(text_share=0.3))
    loaded = load_members(tmp_path, _catalogue(len(kinds)))["joint"]
    np.testing.assert_array_equal(asked(loaded, [3], [5]), asked(Joint(blocks, (0.3, 0.7)), [3], [5]))
    with pytest.raises(ReleaseError, match="Train again"):
        Joint.load(tmp_path / "joint", _catalogue(3))


def _catalogue(n: int) -> Catalogue:
    return Catalogue(pd.DataFrame({"item_id": [str(row) for row in range(n)]}))
