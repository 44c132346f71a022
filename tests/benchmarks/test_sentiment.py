"""The sentiment of real reviews is what the figures say."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.sentiment import held_out_fifth, measure, read
from components.common.errors import InputError
from components.train_text.sentiment import SentimentConfig


@pytest.mark.long
def test_a_held_out_fifth_of_real_reviews_is_told_apart(shared_data: Path) -> None:
    reviews = read(shared_data)
    found = measure(reviews, held_out_fifth(len(reviews), seed=0), SentimentConfig())
    assert found.reviews > 12_000
    assert found.accuracy >= 0.925
    assert found.low < found.accuracy < found.high
    assert found.cpu_s <= 30


def test_no_review_is_both_learned_from_and_judged(tmp_path: Path) -> None:
    (tmp_path / "zh_online_shopping_10_cats").mkdir()
    rows = {"cat": "书籍", "label": [1, 1, 0, 0], "review": ["很好", "很好", None, "很差"]}
    pd.DataFrame(rows).to_parquet(tmp_path / "zh_online_shopping_10_cats" / "reviews.parquet")
    assert read(tmp_path)["review"].tolist() == ["很好", "很差"]


def test_data_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Set CUVEE_TEST_DATA"):
        read(tmp_path)


def test_a_fifth_is_a_fifth_and_the_same_again() -> None:
    chosen = held_out_fifth(50, 3)
    assert chosen.sum() == 10
    assert (chosen == held_out_fifth(50, 3)).all()
