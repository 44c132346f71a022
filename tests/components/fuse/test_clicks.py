"""Clicks whose attention and attraction are planted are found again."""

import numpy as np
import pandas as pd
import pytest

from components.common.impressions import AD, CLICKED, POSITION, PROPENSITY
from components.fuse.clicks import FEWEST_CLICKS, examination, fit_clicks
from serving.shown import Shown, joined

ATTENTION = {1: 1.0, 2: 0.5, 3: 0.25}
AD_SEEN, INTERCEPT, WEIGHT = 0.4, -0.5, 1.0


def planted(n: int, seed: int = 0, blind: bool = False) -> tuple[Shown, pd.DataFrame]:
    """A biased log: the better an item, the likelier it stands first; one in ten is an ad; member 1 knows nothing."""
    random = np.random.default_rng(seed)
    taste = random.normal(size=n)
    first = 1 / (1 + np.exp(-2 * taste))
    chances = np.stack([0.2 + 0.6 * first, 0.4 - 0.3 * first, 0.4 - 0.3 * first], axis=1)
    position = 1 + (random.random((n, 1)) > np.cumsum(chances, axis=1)).sum(axis=1).clip(max=2)
    ad = random.random(n) < 0.1
    seen = np.where(ad, AD_SEEN, np.array([ATTENTION[int(p)] for p in position]))
    clicked = random.random(n) < seen / (1 + np.exp(-(INTERCEPT + WEIGHT * taste)))
    scores = np.stack([taste, random.normal(size=n)], axis=1).astype(np.float32)
    if blind:
        scores[::3, 0] = np.nan
    table = pd.DataFrame(
        {POSITION: position, PROPENSITY: chances[np.arange(n), position - 1], AD: ad, CLICKED: clicked}
    )
    return Shown(scores, position.astype(np.int32), ad, clicked), table


def test_attention_is_found_though_the_best_stood_first() -> None:
    _, table = planted(60_000)
    found = examination(table)
    assert found == pytest.approx(ATTENTION, abs=0.05)
    plain = table[~table[AD]].groupby(POSITION)[CLICKED].mean()
    assert plain[2] / plain[1] < 0.4  # what stands second is also worse: by plain shares it would look less seen


def test_attraction_is_found_and_ads_are_calibrated() -> None:
    shown, _ = planted(60_000)
    model = fit_clicks(shown, ("taste", "noise"), ATTENTION)
    assert model is not None
    assert model.weights[0] / model.scales[0] == pytest.approx(WEIGHT, abs=0.1)
    assert model.weights[1] == pytest.approx(0, abs=0.05)
    assert model.seen == pytest.approx(AD_SEEN, abs=0.05)
    fresh, _ = planted(60_000, seed=1)
    said = model.clicks({name: fresh.scores[fresh.ad, place] for place, name in enumerate(model.members)})
    assert said.mean() == pytest.approx(fresh.clicked[fresh.ad].mean(), rel=0.06)
    top = said >= np.quantile(said, 0.8)
    assert said[top].mean() == pytest.approx(fresh.clicked[fresh.ad][top].mean(), rel=0.12)


def test_what_a_member_does_not_score_has_a_weight_of_its_own() -> None:
    shown, _ = planted(20_000, blind=True)
    model = fit_clicks(shown, ("taste", "noise"), ATTENTION)
    assert model is not None
    assert model.missing[0] == pytest.approx(0, abs=0.3)
    assert np.isfinite(model.clicks({"taste": np.array([np.nan], np.float32)})).all()


def test_too_little_teaches_nothing() -> None:
    shown, table = planted(FEWEST_CLICKS)
    assert fit_clicks(shown, ("taste", "noise"), ATTENTION) is None
    assert examination(table[table[AD]]) == {}
    assert fit_clicks(shown._replace(ad=np.zeros_like(shown.ad)), ("taste", "noise"), ATTENTION) is None


def test_windows_are_joined_where_their_members_are_the_same() -> None:
    old, new = planted(30)[0], planted(20, seed=1)[0]
    both, names = joined([(old, ("a", "b")), (new, ("a", "b"))])
    assert both is not None
    assert (len(both.clicked), names) == (50, ("a", "b"))
    newest, _ = joined([(old, ("a", "c")), (new, ("a", "b"))])
    assert newest is not None
    assert len(newest.clicked) == 20
    assert joined([]) == (None, ())
