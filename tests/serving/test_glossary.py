import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.glossary import Glossary, choose

ENTRIES = {
    "红色": "red", "连衣裙": "dress", "运动鞋": "sports shoes", "t恤": "t-shirt", "手机": "cell phone",
    "手机壳": "phone case", "和": "", "和服": "kimono", "服务": "service", "产品": "product", "红": "popular",
}  # fmt: skip
OTHERS = {"充电宝": "mobile power pack"}  # no item speaks of it


@pytest.fixture
def glossary() -> Glossary:
    return Glossary({"held": ENTRIES, "others": OTHERS})


@pytest.mark.parametrize(
    ("text", "asked", "meant"),
    [
        ("red dress", "red dress", "red dress"),
        ("红色连衣裙", "红色连衣裙 red dress", "red dress"),
        ("Nike运动鞋 42", "Nike运动鞋 42 sports shoes", "nike sports shoes 42"),
        ("白T恤", "白T恤 t-shirt", "t-shirt"),  # 白 is not in this dictionary
        ("手机壳", "手机壳 phone case", "phone case"),  # the longer word, not the one it begins with
        ("产品和服务", "产品和服务 product service", "product service"),  # no kimono in it
        ("魑魅", "魑魅", "魑魅"),
        ("红色充电宝", "红色充电宝 red", "red mobile power pack"),  # an encoder knows it, no item does
        ("", "", ""),
    ],
)
def test_chinese_is_put_into_english_and_the_rest_stays(glossary: Glossary, text: str, asked: str, meant: str) -> None:
    assert glossary.asked(text) == asked
    assert glossary.meant(text) == meant


@given(st.text(max_size=60))
def test_nothing_typed_is_lost_and_nothing_raises(text: str) -> None:
    glossary = Glossary({"held": ENTRIES, "others": OTHERS})
    assert glossary.asked(text).startswith(text)
    assert bool(glossary.meant(text)) == bool(text)


def test_the_longest_query_takes_no_longer_than_its_length_says(glossary: Glossary) -> None:
    assert glossary.meant("红色连衣裙" * 100) == " ".join(["red dress"] * 100)


def test_the_file_is_read_with_the_first_chinese_text_only(tmp_path: Path) -> None:
    path = tmp_path / "glossary.json"
    glossary = Glossary(path)
    assert glossary.asked("red dress") == "red dress"
    path.write_text(json.dumps({"held": {"红色": "red"}, "others": {}}), encoding="utf-8")
    assert glossary.asked("红色") == "红色 red"


def test_the_sense_that_the_catalogue_speaks_of_is_taken() -> None:
    senses = {"皮带": ("strap", "leather belt"), "粉色": ("pink", "white"), "领带": ("necktie",)}
    held = {"strap": 4, "leather": 900, "belt": 100, "pink": 1800, "white": 5000, "tie": 200}
    # leather belt: the rarer word is in 100 items, 10 * .5 > 2; white: 71 * .5 < 42
    assert choose(senses, held) == {
        "held": {"皮带": "leather belt", "粉色": "pink"},
        "others": {"领带": "necktie"},
    }


def test_what_no_item_holds_keeps_the_dictionarys_first_sense() -> None:
    found = choose({"帐篷": ("tent", "marquee"), "和": ("and", "together")}, {})
    assert found == {"held": {}, "others": {"帐篷": "tent", "和": ""}}


def test_plurals_and_small_words_do_not_hide_a_sense() -> None:
    assert choose({"鞋带": ("shoestring", "laces for Shoes")}, {"lace": 3, "shoe": 9})["held"] == {
        "鞋带": "laces for shoes"
    }
