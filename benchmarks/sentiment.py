"""Sentiment of Chinese reviews, on a fifth held out and on each category left out: `make bench-sentiment`.

The data is zh_online_shopping_10_cats (62,774 reviews of ten kinds of goods, half of them positive), which is looked
for in the folder that CUVEE_TEST_DATA names. Reviews that stand there twice are counted once, so that none is both
learned from and judged.
"""  # fmt: skip

import argparse
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from components.common.errors import InputError
from components.common.files import write_json
from components.train_text.sentiment import Judged, SentimentConfig, fit, judge
from serving.arrays import Bools

log = logging.getLogger("benchmarks")
DATA, FOLDER, FILE = "CUVEE_TEST_DATA", "zh_online_shopping_10_cats", "reviews.parquet"
NORMAL = 1.96


@dataclass(frozen=True)
class Measured(Judged):
    """A judgement with its 95% interval (of the share that is right) and the CPU seconds of all work."""

    low: float
    high: float
    cpu_s: float


def read(folder: Path) -> pd.DataFrame:
    """cat, label, review of the distinct reviews.

    Raises:
        InputError: the file is not there.
    """
    path = folder / FOLDER / FILE
    if not path.is_file():
        raise InputError(f"{path} is not there. Set {DATA} to the folder that holds {FOLDER}/{FILE}.")
    return pd.read_parquet(path).dropna().drop_duplicates("review").reset_index(drop=True)


def measure(reviews: pd.DataFrame, held_out: Bools, config: SentimentConfig) -> Measured:
    """Learn from the reviews that are not *held_out* (n,), judge on those that are."""
    started = time.process_time()
    texts, positive = reviews["review"].to_numpy(), (reviews["label"] == 1).to_numpy()
    model = fit(texts[~held_out].tolist(), positive[~held_out], config)
    judged = judge(model, texts[held_out].tolist(), positive[held_out])
    error = NORMAL * (judged.accuracy * (1 - judged.accuracy) / judged.reviews) ** 0.5
    taken = time.process_time() - started
    return Measured(**asdict(judged), low=judged.accuracy - error, high=judged.accuracy + error, cpu_s=taken)


def held_out_fifth(n: int, seed: int) -> Bools:
    """(n,) a fifth of all rows, drawn by *seed*."""
    chosen = np.zeros(n, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(n)[: n // 5]] = True
    return chosen


def _line(name: str, found: Measured) -> str:
    interval = f"[{found.low:.4f}, {found.high:.4f}]"
    return f"| {name} | {found.reviews:,} | {found.accuracy:.4f} {interval} | {found.order:.4f} | {found.cpu_s:.1f} |"


def main() -> None:
    """Measure, print a table and write sentiment.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get(DATA, ".")))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    reviews, config = read(options.data), SentimentConfig()
    log.info("| held out | reviews | accuracy, 95% interval | pairs in order | CPU s |\n|---|---|---|---|---|")
    found = {"a fifth": measure(reviews, held_out_fifth(len(reviews), options.seed), config)}
    log.info(_line("a fifth", found["a fifth"]))
    for category in sorted(reviews["cat"].unique()):
        found[category] = measure(reviews, (reviews["cat"] == category).to_numpy(), config)
        log.info(_line(category, found[category]))
    others = [one for name, one in found.items() if name != "a fifth"]
    plain = sum(one.accuracy for one in others) / len(others)
    pooled = sum(one.accuracy * one.reviews for one in others) / sum(one.reviews for one in others)
    log.info("\nCategories left out: %.4f on average, %.4f of all their reviews.", plain, pooled)
    options.out.mkdir(parents=True, exist_ok=True)
    facts = {"seed": options.seed, "config": config.model_dump(mode="json")}
    rows = {name: asdict(one) for name, one in found.items()}
    write_json(options.out / "sentiment.json", facts | {"mean": plain, "pooled": pooled, "held_out": rows})


if __name__ == "__main__":
    main()
