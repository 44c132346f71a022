import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import ClassificationMetrics
from member_contract import START, planted_shop

from components.common import columns as c
from components.common.files import read_json
from components.common.moments import DAY
from components.common.prepared import REVIEW_COLUMNS, Cut, Prepared
from components.common.stage import PROGRESS_FILE
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.run import write_bazaar
from components.ingest.run import ingest
from components.prepare.run import prepare
from components.train_text.judged import show
from components.train_text.sentiment import (
    SentimentConfig,
    fit,
    judge,
    learn,
    opinions,
    rated_reviews,
    train_sentiment,
)
from pipelines.console import Watcher
from serving.catalogue import Catalogue
from serving.members.base import load_members
from serving.queries import RECOMMEND, Queries
from serving.sentiment import Sentiment, terms
from serving.states import UserStates

GLAD = ("works very well, love it", "great sound and a good fit", "质量很好，非常喜欢", "物流很快，好用")
SAD = ("broke after a week, waste of money", "not good, poor sound", "质量很差，不喜欢", "不好用，退货了")
SMALL = SentimentConfig(least_reviews=2, least_of_each=10)


def said(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """n short reviews of two planted sentences of one mood, and their moods."""
    draw = np.random.default_rng(seed)
    glad = draw.random(n) < 0.5
    return [" ".join(draw.choice(GLAD if mood else SAD, 2)) for mood in glad], glad


def reviews_of(users: list[int], items: list[int], values: list[float], texts: list[str], day: int = 0) -> pd.DataFrame:
    at = pd.to_datetime([START + day * DAY] * len(users), unit="us", utc=True).as_unit("us")
    columns = zip(REVIEW_COLUMNS, (users, items, at, values, texts, [5] * len(users)), strict=True)
    return pd.DataFrame(dict(columns))


def reviewed_shop(rated: bool = True) -> Prepared:
    """The planted shop with 120 reviews: everybody is glad of item 0 and sad of item 1; items 2 to 8 are mixed."""
    texts, glad = said(120)
    items = [row % 7 + 2 for row in range(120)]
    values = np.where(glad, 5.0, 1.0)
    extra = [(0, GLAD[0]), (0, GLAD[2]), (1, SAD[1]), (1, SAD[2])] * 3
    frame = reviews_of(
        [*range(120), *range(200, 212)],
        [*items, *(item for item, _ in extra)],
        [*(values if rated else values * np.nan), *[np.nan] * 12],
        [*texts, *(text for _, text in extra)],
    )
    shop = planted_shop()
    return Prepared(shop.events, shop.items, shop.users, shop.split, shop.shop, frame)


def test_terms_hold_negation_in_both_languages() -> None:
    assert "not good" in terms("Not  GOOD")
    assert {"不好", "不", "好", "不好 用"} & set(terms("不好用")) >= {"不", "好", "不好"}
    assert terms("ｇｏｏｄ！") == terms("good!")
    assert not [term for term in terms("call 13800138000 now") if any(sign.isdigit() for sign in term)]


def test_planted_moods_are_learned_in_two_languages() -> None:
    model = fit(*said(200), SentimentConfig(least_reviews=2))
    found = model.positive(["I love it", "poor sound", "非常喜欢", "很差，退货", "zzz", ""])
    assert (found[[0, 2]] > 0.5).all()
    assert (found[[1, 3]] < 0.5).all()
    assert np.isnan(found[4:]).all()


def test_saved_and_read_again_it_says_the_same(tmp_path: Path) -> None:
    model = fit(*said(100), SMALL)
    model.save(tmp_path)
    texts = ["love it", "质量很差"]
    np.testing.assert_array_equal(Sentiment.load(tmp_path).positive(texts), model.positive(texts))
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npy"}


def test_a_judgement_by_hand() -> None:
    """Of two glad and one sad text one glad is unknown: 2 of 3 right; of the two pairs one is in order, one equal."""
    model = Sentiment(["good", "bad"], np.ones(2, np.float32), np.array([2, 0], np.float32), 0.0)
    judged = judge(model, ["good", "???", "bad"], np.array([True, True, False]))
    assert judged.accuracy == pytest.approx(2 / 3)
    assert judged.order == pytest.approx(0.75)


def test_ratings_speak_first_then_texts_drawn_to_the_mean() -> None:
    """Item 0: ratings 5 and 3 say 1 and .5; item 1: its text says .5; mean 2 / 3, one review of it is added."""
    model = Sentiment(["x"], np.ones(1, np.float32), np.zeros(1, np.float32), 0.0)
    reviews = pd.DataFrame({c.ITEM: [0, 0, 1, 2], c.TEXT: ["x", "x", "x", "?"], c.VALUE: [5.0, 3.0, np.nan, np.nan]})
    drawn, counts = opinions(model, reviews, 4, SentimentConfig(prior_reviews=1))
    np.testing.assert_allclose(drawn[:2], [(1.5 + 2 / 3) / 3, (0.5 + 2 / 3) / 2], rtol=1e-6)
    assert np.isnan(drawn[2:]).all()
    assert counts.tolist() == [2, 1, 0, 0]


def test_a_rating_beside_the_review_is_its_rating_and_a_foreign_scale_is_none() -> None:
    shop = planted_shop()
    event = shop.events.iloc[[0]].copy()
    event[c.EVENT], event[c.VALUE], event[c.USER], event[c.ITEM] = "rating", 2.0, 0, 3
    reviews = reviews_of([0, 1, 2, 2], [3, 3, 4, 4], [np.nan, 87.0, 1.0, 4.0], ["a", "b", "old", "new"])
    shop = Prepared(pd.concat([event, shop.events]), shop.items, shop.users, shop.split, shop.shop, reviews)
    found = rated_reviews(shop, shop.split.test)
    assert found[c.TEXT].tolist() == ["a", "b", "new"]
    np.testing.assert_array_equal(found[c.VALUE], [2.0, np.nan, 4.0])


def test_reviews_after_the_cut_are_not_read() -> None:
    shop = reviewed_shop()
    assert shop.reviews is not None
    late = shop.reviews.assign(**{c.TIMESTAMP: shop.reviews[c.TIMESTAMP] + pd.Timedelta(days=3650)})
    later = Prepared(shop.events, shop.items, shop.users, shop.split, shop.shop, late)
    assert len(rated_reviews(later, shop.split.test)) == 0
    assert len(shop.train_reviews(Cut(name="t", role="test", members="all", hold_out=0, train_from_end=6))) == 0
    assert len(shop.train_reviews(Cut(name="t", role="test", members="final"))) == 0


def test_the_member_says_what_the_reviews_say(tmp_path: Path) -> None:
    shop = reviewed_shop()
    train_sentiment(shop, shop.split.test, tmp_path / "sentiment", SMALL, seed=0)
    member = load_members(tmp_path, Catalogue(shop.items))["sentiment"]
    scores = member.score_all(Queries(RECOMMEND, UserStates.from_items([[], [3]], 0)))
    assert scores.shape == (2, len(shop.items))
    np.testing.assert_array_equal(scores[0], scores[1])
    assert scores[0, 0] == np.nanmax(scores)
    assert scores[0, 1] == np.nanmin(scores)
    assert np.isnan(scores[0, 9:]).all()
    facts = read_json(tmp_path / "sentiment" / "member.json")
    assert facts["accuracy"] > 0.9
    assert facts["judged_on"] == 24
    (tmp_path / "members").mkdir()
    (tmp_path / "sentiment").rename(tmp_path / "members" / "sentiment")
    (tmp_path / "members").rename(tmp_path / "final")
    reviews = ClassificationMetrics(name="reviews", uri="file:///tmp/reviews")
    show(tmp_path, reviews)
    (right_of_bad, _), (_, right_of_good) = (one["row"] for one in reviews.metadata["confusionMatrix"]["rows"])
    assert (right_of_bad + right_of_good) / 24 == pytest.approx(facts["accuracy"])
    nothing = ClassificationMetrics(name="reviews", uri="file:///tmp/reviews")
    show(tmp_path / "gone", nothing)
    assert nothing.metadata == {}


def test_training_again_is_bit_identical(tmp_path: Path) -> None:
    shop = reviewed_shop()
    for name in ("one", "two"):
        train_sentiment(shop, shop.split.test, tmp_path / name, SMALL, seed=0)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


def test_too_few_ratings_give_no_member_and_a_word_about_it(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress"))
    shop = reviewed_shop(rated=False)
    with caplog.at_level(logging.WARNING):
        train_sentiment(shop, shop.split.test, tmp_path / "sentiment", SMALL, seed=0)
    assert not (tmp_path / "sentiment").exists()
    assert "found 132 reviews, 0 rated 4 or more" in caplog.text
    assert "The items get no sentiment." in caplog.text
    console = Watcher(tmp_path / "progress")
    console._read((tmp_path / "progress").read_text().splitlines())
    assert "no sentiment" in capsys.readouterr().out


def test_ratings_without_a_relation_to_texts_teach_nothing(caplog: pytest.LogCaptureFixture) -> None:
    texts, glad = said(400)
    shuffled = np.random.default_rng(1).permutation(glad)
    reviews = pd.DataFrame({c.ITEM: 0, c.TEXT: texts, c.VALUE: np.where(shuffled, 5.0, 1.0)})
    with caplog.at_level(logging.WARNING):
        assert learn(reviews, SMALL, 0) is None
    assert "stand in order" in caplog.text


def test_the_hidden_quality_of_simulated_items_is_heard_in_two_languages(tmp_path: Path) -> None:
    """Only three reviews in ten keep their stars; the rest speaks by its English or Chinese words alone."""
    write_bazaar(BazaarConfig(users=3000, items=150, seed=3), tmp_path / "shop", with_media=False)
    ingest(str(tmp_path / "shop"), None, str(tmp_path / "store"), tmp_path / "tables")
    prepare(tmp_path / "tables", tmp_path / "prepared", "temporal", "fast", 0)
    shop = Prepared.load(tmp_path / "prepared")
    reviews = rated_reviews(shop, shop.split.test)
    mute = np.random.default_rng(0).random(len(reviews)) < 0.7
    learned = learn(reviews.assign(**{c.VALUE: reviews[c.VALUE].mask(mute)}), SentimentConfig(), seed=0)
    assert learned is not None
    words_alone = reviews[mute].assign(**{c.VALUE: np.nan})
    drawn, counts = opinions(learned[0], words_alone, len(shop.items), SentimentConfig())
    items = pd.read_parquet(tmp_path / "shop" / "truth" / "items.parquet").set_index(c.ITEM_ID)
    quality = items["quality"].reindex(shop.items[c.ITEM_ID])
    heard = pd.Series(drawn, index=quality.index)[counts >= 5]
    assert len(heard) > 100
    assert heard.corr(quality[heard.index], method="spearman") > 0.8


def test_no_reviews_at_all_is_no_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shop = planted_shop()
    train_sentiment(shop, shop.split.test, tmp_path / "sentiment", SMALL, seed=0)
    assert not (tmp_path / "sentiment").exists()
    assert not caplog.records
