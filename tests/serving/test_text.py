import pytest

from serving.text import LONGEST, singular, trigrams, words


def test_words_are_folded_and_split() -> None:
    assert words("Sony® WH-1000XM4 Headphones") == ["sony", "wh", "1000xm4", "1000", "xm", "4", "headphone"]


def test_full_width_and_case_are_one_word() -> None:
    assert words("ＵＳＢ Cable") == words("usb CABLE") == ["usb", "cable"]


def test_chinese_gives_characters_and_words() -> None:
    assert words("蓝牙耳机 USB") == ["蓝", "牙", "耳", "机", "蓝牙", "耳机", "usb"]


def test_a_word_of_one_character_is_said_once() -> None:
    assert words("手机壳") == ["手", "机", "壳", "手机"]


def test_a_word_that_only_touches_is_not_there() -> None:
    """A kimono (和服) is not in 产品和服务, products and services."""
    assert "和服" in words("女士和服")
    assert "和服" not in words("产品和服务")


def test_long_chinese_words_give_their_parts() -> None:
    assert {"连衣裙", "衣裙"} <= set(words("夏季连衣裙"))


def test_kana_and_hangul_give_characters_and_pairs() -> None:
    assert words("タワー") == ["タ", "ワ", "ー", "タワ", "ワー"]
    assert words("한국") == ["한", "국", "한국"]


def test_chinese_beside_latin_is_two_runs() -> None:
    assert words("iPhone手机") == ["iphone", "手", "机", "手机"]


def test_anonymised_attributes_keep_their_token() -> None:
    assert "a12" in words("a12 a7")
    assert "a7" in words("a12 a7")


@pytest.mark.parametrize(
    ("plural", "one"),
    [("batteries", "battery"), ("boxes", "box"), ("tvs", "tv"), ("glass", "glass"), ("ties", "tie"), ("us", "us")],
)
def test_singular(plural: str, one: str) -> None:
    assert singular(plural) == one


@pytest.mark.parametrize("text", ["", " \t", "---", "🎧"])
def test_no_words_at_all(text: str) -> None:
    assert words(text) == []


def test_a_long_run_is_cut() -> None:
    assert words("x" * 1000) == ["x" * LONGEST]


def test_trigrams_mark_the_ends() -> None:
    assert trigrams("abc") == {"^ab", "abc", "bc$"}
