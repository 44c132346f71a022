import numpy as np
import pandas as pd
from member_contract import COLD, planted_shop

from components.common import columns as c
from components.train_text.word2vec import Word2vecConfig, Words, item_vectors, sentences

ITEMS = pd.DataFrame(
    {
        c.TITLE: ["red mug", "red pan", "lonely"],
        c.DESCRIPTION: "",
        c.CATEGORY: "",
        c.BRAND: ["acme", "acme", ""],
    }
)


def test_a_sentence_tells_items_in_order_with_their_shared_words() -> None:
    words = Words(ITEMS, per_item=1)
    assert words.of_item == [["red", "acme", "brand:acme"]] * 2 + [[]]
    events = pd.DataFrame({c.USER: [0, 0, 1], c.VISIT: [1, 0, 0], c.ITEM: [0, 2, 1]})
    told = list(sentences(events, words, most_items=9))
    assert told[:2] == [["#2", "#0", "acme"], ["#1", "acme"]]
    assert told[2:] == [["#0", "red", "acme", "brand:acme"], ["#1", "red", "acme", "brand:acme"]]


def test_of_long_pasts_the_latest_are_told() -> None:
    events = pd.DataFrame({c.USER: [0] * 6 + [1], c.VISIT: [*range(6), 0], c.ITEM: [0, 1, 2, 0, 1, 2, 0]})
    told = list(sentences(events, Words(ITEMS, per_item=0), most_items=4))
    assert told[:2] == [["#0", "#1", "#2"], ["#0"]]


def test_an_item_nobody_met_lies_among_its_kind() -> None:
    shop = planted_shop()
    config = Word2vecConfig(embedding_size=16, epochs=60)
    vectors = item_vectors(shop.events, Words(shop.items, config.words_per_item), config, seed=0)
    near = np.argsort(-vectors[:COLD] @ vectors[COLD])[:5]
    assert set(near % 3) == {COLD % 3}
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_nothing_to_read_gives_no_vectors() -> None:
    bare = ITEMS.assign(title="", brand="")
    vectors = item_vectors(
        pd.DataFrame(columns=[c.USER, c.VISIT, c.ITEM], dtype="int64"), Words(bare, 3), Word2vecConfig(), 0
    )
    assert not vectors.any()
