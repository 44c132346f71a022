import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.members.lexical import PART_WEIGHT, Vocabulary
from serving.spelling import Spelling, distances, slips

WORDS = st.text("abc", max_size=6)


def edits(one: str, other: str) -> int:
    """Optimal string alignment by its definition."""
    if not one or not other:
        return len(one) + len(other)
    costs = [
        edits(one[:-1], other) + 1,
        edits(one, other[:-1]) + 1,
        edits(one[:-1], other[:-1]) + (one[-1] != other[-1]),
    ]
    if len(one) > 1 and len(other) > 1 and one[-1] == other[-2] and one[-2] == other[-1]:
        costs.append(edits(one[:-2], other[:-2]) + 1)
    return min(costs)


@given(WORDS.filter(bool), st.lists(WORDS, min_size=1, max_size=4))
def test_distances_are_those_of_the_definition(word: str, others: list[str]) -> None:
    assert distances(word, others).tolist() == [edits(word, other) for other in others]


@pytest.mark.parametrize("slip", ["headhone", "headphonne", "headphome", "haedphone"])
def test_one_slip_of_each_kind(slip: str) -> None:
    assert Spelling(["garden", "headphone"]).near(slip) == [(1, 1)]


def test_short_words_are_off_by_one_and_long_ones_by_two() -> None:
    terms = Spelling(["lamp", "keyboard"])
    assert terms.near("lmp") == []  # three letters
    assert terms.near("lapm") == [(0, 1)]
    assert terms.near("laqx") == []  # two slips in four letters
    assert terms.near("keybaordd") == [(1, 2)]
    assert terms.near("kebaordd") == []  # three


@pytest.mark.parametrize("word", ["3080", "rtx3080", "耳机", "无线耳朵机", "タワー", "한국어말"])
def test_numbers_names_and_scripts_without_spelling_are_left_alone(word: str) -> None:
    assert Spelling(["3090", "rtx3090", "耳麦", "无线耳朵麦", "タワア", "한국어달", "rtxa"]).near(word) == []


def test_accents_and_cyrillic_are_spelt() -> None:
    assert Spelling(["café", "наушники"]).near("наушникі") == [(1, 1)]
    assert Spelling(["café"]).near("cafe") == [(0, 1)]


def test_only_the_closest_are_given() -> None:
    assert Spelling(["keyboards", "keyboardist"]).near("keyboardz") == [(0, 1)]


@given(st.lists(st.text("abcdé", min_size=3, max_size=10), unique=True, max_size=12), st.text("abcdé", max_size=10))
def test_the_short_cut_by_letters_loses_nothing(terms: list[str], word: str) -> None:
    away = {row: edits(word, term) for row, term in enumerate(terms)} if len(word) <= 6 else {}
    within = [row for row, far in away.items() if far <= slips(word)]
    found = Spelling(terms).near(word)
    if away and slips(word):
        least = min((away[row] for row in within), default=None)
        assert found == [(row, least) for row in within if away[row] == least]


def test_a_known_word_is_never_corrected() -> None:
    vocabulary = Vocabulary(["cable", "table"])
    assert vocabulary.weights("cable") == {0: 1.0}
    assert "_index" not in vars(vocabulary.spelling)  # nothing was prepared, so nothing is slower


def test_what_many_items_hold_is_meant_rather_than_what_few_hold() -> None:
    found = Vocabulary(["babel", "cable"], np.array([1, 20], dtype=np.int32)).weights("cabel")
    assert list(found) == [1, 0]
    assert found[1] > 10 * found[0]


def test_unknown_chinese_is_not_guessed() -> None:
    assert Vocabulary(["羽毛球", "羽毛球拍"]).weights("羽毛求") == {}


def test_parts_of_a_known_chinese_word_weigh_less() -> None:
    found = Vocabulary(["机", "耳", "耳机"]).weights("耳机")
    assert found == {2: 1.0, 0: PART_WEIGHT, 1: PART_WEIGHT}
    assert Vocabulary(["机", "耳"]).weights("耳机") == {0: 1.0, 1: 1.0}
