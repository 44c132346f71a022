from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_contract import COLD, WORDS, MemberContract, group_of

from components.common import columns as c
from components.common.prepared import Cut, Prepared
from components.train_text.lexical import LexicalConfig, train_lexical
from serving.arrays import Bools, Floats, Ints
from serving.catalogue import Catalogue
from serving.members.lexical import Lexical, Vocabulary
from serving.queries import SEARCH, Queries
from serving.states import UserStates


class TestLexical(MemberContract):
    member = Lexical
    config = LexicalConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        train_lexical(prepared.items, folder)

    def queries(self, states: UserStates) -> Queries:
        return Queries(SEARCH, states, tuple(_text(user) for user in states.user_ids))

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        right: Bools = group_of(users)[:, None] == group_of(np.arange(COLD + 1))[None, :]
        return right


def _text(user: str) -> str:
    if user.startswith("u"):
        return WORDS[int(user[1:]) % len(WORDS)]
    return "" if user == "x" else WORDS[0]


ITEMS = pd.DataFrame(
    {
        c.ITEM_ID: list("abcd"),
        c.TITLE: ["wireless headphones", "headphone case", "garden hose", "blender"],
        c.DESCRIPTION: ["", "holds wireless headphones", "", ""],
        c.CATEGORY: ["Audio", "Audio > Bags", "Garden", "Kitchen"],
        c.BRAND: ["Sony", "", "", "Acme"],
    }
)


@pytest.fixture
def ask(tmp_path: Path) -> "Ask":
    train_lexical(ITEMS, tmp_path)
    return Ask(Lexical.load(tmp_path, Catalogue(ITEMS)))


class Ask:
    def __init__(self, member: Lexical) -> None:
        self.member = member

    def __call__(self, text: str) -> Floats:
        scores: Floats = self.member.score_all(Queries(SEARCH, UserStates.from_items([[]], 0), (text,)))[0]
        return scores


def test_title_counts_more_than_description(ask: Ask) -> None:
    scores = ask("wireless")
    assert scores[0] > scores[1]
    assert np.isnan(scores[2:]).all()


def test_plural_and_singular_meet(ask: Ask) -> None:
    np.testing.assert_array_equal(ask("headphones"), ask("HEADPHONE"))


def test_brand_and_category_are_found(ask: Ask) -> None:
    assert np.nanargmax(ask("sony")) == 0
    assert np.nanargmax(ask("kitchen acme")) == 3


@pytest.mark.parametrize("typo", ["headphnes", "hedphones", "headph"])
def test_a_typo_or_a_beginning_finds_the_word_at_less_weight(ask: Ask, typo: str) -> None:
    assert np.isfinite(ask(typo)[:2]).all()
    assert np.nanmax(ask(typo)) < np.nanmax(ask("headphones"))


@pytest.mark.parametrize("nothing", ["", "zzzzqqq", "!!"])
def test_no_known_word_scores_nothing(ask: Ask, nothing: str) -> None:
    assert np.isnan(ask(nothing)).all()


def test_bm25_of_one_word_by_hand(tmp_path: Path) -> None:
    """One field, two items of one word: idf = log(1 + (2 - 1 + .5) / (1 + .5)) = log 2, tf part = 1."""
    items = pd.DataFrame({c.ITEM_ID: ["a", "b"], c.TITLE: ["lamp", "rug"]})
    train_lexical(items, tmp_path, LexicalConfig(boosts={c.TITLE: 1.0}))
    scores = Ask(Lexical.load(tmp_path, Catalogue(items)))("lamp")
    assert scores[0] == pytest.approx(np.log(2), abs=1e-6)


def test_near_words_are_few_and_ordered() -> None:
    vocabulary = Vocabulary(["cable", "camera", "cameras9", "table"])
    assert list(vocabulary.weights("camer")) == [1, 2]
    assert list(vocabulary.weights("cabel")) == [0]


def test_the_order_of_words_does_not_matter_and_guessing_is_bounded() -> None:
    vocabulary = Vocabulary(["cable", "cables9", "hdmi"])
    assert vocabulary.weights("hdmi cabel cable") == vocabulary.weights("cable hdmi cabel")
    nonsense = " ".join(f"qqq{chr(97 + n)}" for n in range(20))
    assert vocabulary.weights(f"{nonsense} cabel") == {}
    assert vocabulary.weights(f"{nonsense} cable") == {0: 1.0}


BILINGUAL = pd.DataFrame(
    {
        c.ITEM_ID: list("abcdef"),
        c.TITLE: [
            "索尼 SONY 无线蓝牙耳机",
            "ＵＳＢ－Ｃ 充电线 cable 2米",
            "产品和服务手册",
            "日式和服 女士",
            "wireless headphones",
            "手机壳 iPhone15 case",
        ],
        c.DESCRIPTION: ["", "", "", "", "", ""],
        c.CATEGORY: ["数码", "数码", "图书", "服装", "Audio", "数码"],
        c.BRAND: ["索尼", "", "", "", "Sony", ""],
    }
)


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("蓝牙耳机", 0),
        ("耳机", 0),
        ("sony耳机", 0),
        ("和服", 3),
        ("usb-c充电线", 1),
        ("ＵＳＢ充电", 1),
        ("IPHONE１５手机壳", 5),
        ("wireless headphones 手机", 4),
    ],
)
def test_chinese_and_mixed_queries_find_their_item(tmp_path: Path, query: str, best: int) -> None:
    train_lexical(BILINGUAL, tmp_path)
    scores = Ask(Lexical.load(tmp_path, Catalogue(BILINGUAL)))(query)
    assert np.nanargmax(scores) == best


def test_full_width_and_case_change_nothing(tmp_path: Path) -> None:
    train_lexical(BILINGUAL, tmp_path)
    ask = Ask(Lexical.load(tmp_path, Catalogue(BILINGUAL)))
    np.testing.assert_array_equal(ask("ｓｏｎｙ 耳机"), ask("SONY耳机"))
