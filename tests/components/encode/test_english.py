import numpy as np
from text_parts import real_encoder

from components.encode.english import READ, held, in_english


def test_english_stays_as_it_is_to_the_letter() -> None:
    texts = ["Red  Mug, 300ml", "", "Überzug für Café"]
    assert in_english(texts) == texts


def test_chinese_is_put_into_the_words_of_the_other_items() -> None:
    texts = ["leather belt", "brown leather belts", "棕色皮带", "Nike 运动鞋 42"]
    assert in_english(texts) == ["leather belt", "brown leather belts", "brown leather belt", "nike sports shoes 42"]


def test_a_text_counts_once_for_every_term_it_holds() -> None:
    assert held(["mug mugs Mug", "a mug"]) == {"mug": 2, "a": 1}


def test_a_long_text_is_not_read_to_its_end() -> None:
    (told,) = in_english(["红色" * READ])
    assert told == " ".join(["red"] * (READ // 2))


def test_what_is_put_into_english_lies_near_what_it_means() -> None:
    titles = ["红色连衣裙", "蓝牙耳机", "咖啡豆"]
    vectors = real_encoder().encode(in_english(titles))
    asked = real_encoder().encode_queries(["red dress", "bluetooth headphones", "coffee beans"])
    assert np.argmax(asked @ vectors.T, axis=1).tolist() == [0, 1, 2]
