"""Learns from a shop's own ratings how its customers sound when they are glad, and what they say of each item."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field
from scipy import sparse
from scipy.optimize import minimize

from components.common import columns as c
from components.common.classified import Classified, classified
from components.common.config import Config
from components.common.files import write_json
from components.common.prepared import Cut, Prepared
from components.common.stage import tell
from serving.arrays import Bools, Floats, Ints
from serving.members.base import MEMBER_FILE
from serving.members.sentiment import OPINIONS_FILE, REVIEWS_FILE, SentimentOfItems
from serving.sentiment import Sentiment, terms, unit_rows

log = logging.getLogger(__name__)
Doubles = npt.NDArray[np.float64]
JUDGED_FILE = "judged.json"  # beside the member: what it said of reviews that it had not seen
POSITIVE, NEGATIVE = 4.0, 2.0  # ratings from which, up to which, a review is clear
BEST = 5.0  # ratings are 1 to 5


class SentimentConfig(Config):
    """Numbers of the sentiment of reviews."""

    reg: float = Field(default=0.5, gt=0, description="ridge on the weights of the terms")
    least_reviews: int = Field(default=4, ge=1, description="a term in fewer reviews is left out")
    most_terms: int = Field(default=150_000, ge=1, description="the most frequent are kept")
    most_reviews: int = Field(default=50_000, ge=1, description="rated reviews learned from, drawn if there are more")
    least_of_each: int = Field(default=50, ge=10, description="clear reviews of either side; fewer teach nothing")
    least_order: float = Field(default=0.75, ge=0.5, le=1, description="of held-out pairs that must stand in order")
    prior_reviews: float = Field(default=5.0, ge=0, description="of the shop's mean, added to every item's reviews")


@dataclass(frozen=True)
class Judged:
    """How a model did on reviews it has not seen: their number, the share it got right, and the share of pairs of a
    positive and a negative one that it put in order."""  # fmt: skip

    reviews: int
    accuracy: float
    order: float


def fit(texts: Sequence[str], positive: Bools, config: SentimentConfig) -> Sentiment:
    """Learn from *texts* (n) and whether each is *positive* (n,).

    A term counts as much as it is rare and as it tells the sides apart (the log ratio of how often each holds it); a
    ridge keeps its weight small. Deterministic.
    """
    names, columns, indptr = _indexed(texts, config)
    scale = _scale(columns, indptr, positive, len(names))
    weights, bias = _logistic(unit_rows(columns, indptr, scale), positive, config.reg)
    return Sentiment(names, scale, weights, bias)


def _indexed(texts: Sequence[str], config: SentimentConfig) -> tuple[list[str], Ints, Ints]:
    """The terms that are kept, sorted, and for every text the rows of those it holds (columns, indptr)."""
    place: dict[str, int] = {}
    found = [np.array([place.setdefault(term, len(place)) for term in terms(text)], np.int32) for text in texts]
    columns = np.concatenate([*found, np.zeros(0, np.int32)])
    held = np.bincount(columns, minlength=len(place)).tolist()
    usual = [(-held[at], name) for name, at in place.items() if held[at] >= config.least_reviews]
    names = sorted(name for _, name in sorted(usual)[: config.most_terms])
    row_of = np.full(len(place), -1, dtype=np.int32)
    row_of[[place[name] for name in names]] = np.arange(len(names), dtype=np.int32)
    rows = row_of[columns]
    of_text = np.repeat(np.arange(len(texts)), [len(row) for row in found])[rows >= 0]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(of_text, minlength=len(texts)))])
    return names, rows[rows >= 0], indptr.astype(np.int32)


def _scale(columns: Ints, indptr: Ints, positive: Bools, size: int) -> Floats:
    """(terms,) idf times how far apart the sides are."""
    side = np.repeat(positive, np.diff(indptr))
    glad, sad = (np.bincount(columns[which], minlength=size) + 1.0 for which in (side, ~side))
    idf = np.log((1 + len(positive)) / (glad + sad - 1)) + 1
    apart = np.abs(np.log(glad / glad.sum()) - np.log(sad / sad.sum()))
    return np.asarray(idf * (apart + 0.2), dtype=np.float32)


def _logistic(rows: sparse.csr_matrix, positive: Bools, reg: float) -> tuple[Floats, float]:
    """Weights and bias that minimise the logistic loss plus reg / 2 times the squared weights."""
    sign = np.where(positive, 1.0, -1.0)
    columns = rows.T.tocsr()

    def loss(point: Doubles) -> tuple[float, Doubles]:
        weights, bias = point[:-1], point[-1]
        margin = sign * (rows @ weights.astype(np.float32) + bias)
        pull = -sign / (1 + np.exp(np.minimum(margin, 60.0)))
        slope = np.append(columns @ pull.astype(np.float32) + reg * weights, pull.sum())
        return float(np.logaddexp(0, -margin).sum() + reg / 2 * (weights @ weights)), slope

    start = np.zeros(rows.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-5}).x
    return found[:-1].astype(np.float32), float(found[-1])


def judge(model: Sentiment, texts: Sequence[str], positive: Bools) -> Judged:
    """Hold *model* against *texts* (n) whose sides are known; what it cannot score counts as wrong, in no order."""
    found = model.positive(texts)
    right = np.where(np.isfinite(found), (found > 0.5) == positive, False)
    ranks = pd.Series(np.nan_to_num(found, nan=0.5)).rank().to_numpy()
    n_glad, n_sad = int(positive.sum()), int((~positive).sum())
    above = ranks[positive].sum() - n_glad * (n_glad + 1) / 2
    return Judged(len(texts), float(right.mean()), float(above / max(n_glad * n_sad, 1)))


def rated_reviews(shop: Prepared, cut: Cut) -> pd.DataFrame:
    """item, text, value of each user's last review of an item before *cut*.

    value: its rating, else the user's last rating of the item; NaN where there is none or it is not 1 to 5.
    """
    reviews = shop.train_reviews(cut).drop_duplicates([c.USER, c.ITEM], keep="last")
    events = shop.train(cut)
    ratings = events[(events[c.EVENT] == "rating") & events[c.VALUE].notna()]
    last = ratings.drop_duplicates([c.USER, c.ITEM], keep="last").set_index([c.USER, c.ITEM])[c.VALUE]
    beside = last.reindex(pd.MultiIndex.from_frame(reviews[[c.USER, c.ITEM]])).to_numpy(dtype=np.float64)
    own = reviews[c.VALUE].to_numpy(dtype=np.float64)
    value = np.where(np.isfinite(own), own, beside)
    value = np.where((value >= 1) & (value <= BEST), value, np.nan)
    return reviews[[c.ITEM, c.TEXT]].assign(**{c.VALUE: value}).reset_index(drop=True)


def opinions(model: Sentiment, reviews: pd.DataFrame, n_items: int, config: SentimentConfig) -> tuple[Floats, Ints]:
    """(n_items,) what is said of each item, 0 to 1, NaN without a review; (n_items,) reviews that say something.

    A rated review says (rating - 1) / 4, another one what its text sounds like. Each item's mean is drawn to the mean
    of all reviews by *prior_reviews* of them.
    """
    said = (reviews[c.VALUE].to_numpy(dtype=np.float64) - 1) / (BEST - 1)
    unrated = np.isnan(said)
    said[unrated] = model.positive(reviews[c.TEXT][unrated].astype(str).tolist())
    heard = np.isfinite(said)
    item = reviews[c.ITEM].to_numpy()[heard]
    count = np.bincount(item, minlength=n_items)
    mean = said[heard].mean() if heard.any() else 0.5
    total = np.bincount(item, said[heard], minlength=n_items) + config.prior_reviews * mean
    drawn = np.where(count > 0, total / np.maximum(count + config.prior_reviews, 1e-12), np.nan)
    return drawn.astype(np.float32), count.astype(np.int32)


def learn(
    reviews: pd.DataFrame, config: SentimentConfig, seed: int
) -> tuple[Sentiment, Judged, Classified | None] | None:
    """A model of four fifths of the clear reviews, judged on the fifth; None where they teach too little.

    The third is of the same fifth, None where one side is missing there.
    """
    clear = reviews[(reviews[c.VALUE] >= POSITIVE) | (reviews[c.VALUE] <= NEGATIVE)]
    positive = (clear[c.VALUE] >= POSITIVE).to_numpy()
    if min(positive.sum(), (~positive).sum()) < config.least_of_each:
        _say(
            f"found {len(reviews)} reviews, {positive.sum()} rated {POSITIVE:g} or more and {(~positive).sum()} rated "
            f"{NEGATIVE:g} or less; expected at least {config.least_of_each} of each"
        )
        return None
    drawn = np.random.default_rng(seed).permutation(len(clear))[: config.most_reviews]
    fifth, rest = np.split(drawn, [len(drawn) // 5])
    texts = clear[c.TEXT].astype(str).to_numpy()
    model = fit(texts[rest].tolist(), positive[rest], config)
    held, truth = texts[fifth].tolist(), positive[fifth]
    judged = judge(model, held, truth)
    if judged.order < config.least_order:
        _say(f"of held-out pairs {judged.order:.2f} stand in order; expected at least {config.least_order}")
        return None
    both = truth.any() and not truth.all()
    drawn_out = classified(model.positive(held), truth, 0.5, ("negative", "positive")) if both else None
    return model, judged, drawn_out


def _say(why: str) -> None:
    message = f"sentiment: {why}. The items get no sentiment."
    log.warning(message)
    tell(stage="train_text", kind="note", text=message)


def train_sentiment(shop: Prepared, cut: Cut, out: Path, config: SentimentConfig, seed: int) -> None:
    """Write the member learned from *cut*'s reviews into *out*; nothing where there are none or they teach too little.

    Args:
        shop: the prepared shop.
        cut: whose training reviews and ratings may be looked at.
        out: the member's folder.
        config: its numbers.
        seed: draws the fifth on which it is judged.
    """
    reviews = rated_reviews(shop, cut)
    learned = learn(reviews, config, seed) if len(reviews) else None
    if learned is None:
        return
    model, judged, drawn_out = learned
    drawn, counts = opinions(model, reviews, len(shop.items), config)
    model.save(out)
    np.save(out / OPINIONS_FILE, drawn, allow_pickle=False)
    np.save(out / REVIEWS_FILE, counts, allow_pickle=False)
    facts = {"judged_on": judged.reviews, "accuracy": judged.accuracy, "pairs_in_order": judged.order}
    if drawn_out is not None:
        write_json(out / JUDGED_FILE, drawn_out._asdict())
    write_json(out / MEMBER_FILE, {"kind": SentimentOfItems.kind, **facts, **config.model_dump(mode="json")})
