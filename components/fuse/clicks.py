"""How likely an ad is clicked: learned from impressions whose positions were drawn with known probabilities."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize

from components.common.impressions import AD, CLICKED, POSITION, PROPENSITY
from serving.ads import FAR, ClickModel
from serving.shown import Shown

Doubles = npt.NDArray[np.float64]
FEWEST_CLICKS = 50  # with fewer there is nothing to learn
L2 = 1e-3  # holds the weights back, relative to the mean loss
LEAST = 1e-4


def examination(shown: pd.DataFrame) -> dict[int, float]:
    """By organic position, how much more rarely it is looked at than the first: clicks weighted by 1 / propensity.

    So weighted, every position holds the same items in the mean, and only attention tells the positions apart.
    """
    plain = shown[~shown[AD]]
    weight = 1 / plain[PROPENSITY]
    clicks = (weight * plain[CLICKED]).groupby(plain[POSITION]).sum() / weight.groupby(plain[POSITION]).sum()
    if not len(clicks) or clicks.iloc[0] <= 0:
        return {}
    places, rates = clicks.index.to_numpy(dtype=np.int64), clicks.to_numpy(dtype=np.float64)
    return {place: max(rate / rates[0], LEAST) for place, rate in zip(places.tolist(), rates.tolist(), strict=True)}


def fit_clicks(shown: Shown, names: tuple[str, ...], attention: Mapping[int, float]) -> ClickModel | None:
    """The likeliest P(click) = attention(position) x attraction(scores), attention being known.

    Args:
        shown: impressions; those at positions without attention are passed over, ads are not.
        names: of the K members.
        attention: by organic position, see `examination`.

    Returns:
        None with fewer than FEWEST_CLICKS organic clicks or no click on an ad.
    """
    seen = np.array([attention.get(int(place), 0.0) for place in shown.position])
    teaching = ~shown.ad & (seen > 0)
    if int(shown.clicked[teaching].sum()) < FEWEST_CLICKS or not shown.clicked[shown.ad].any():
        return None
    finite = np.where(np.isfinite(shown.scores), shown.scores, np.nan)[teaching]
    known = ~np.isnan(finite)
    means = np.array([finite[known[:, k], k].mean() if known[:, k].any() else 0.0 for k in range(len(names))])
    scales = np.array([finite[known[:, k], k].std() if known[:, k].any() else 1.0 for k in range(len(names))])
    scales = np.where(scales > 0, scales, 1.0)
    values = np.where(known, np.clip((np.nan_to_num(finite) - means) / scales, -FAR, FAR), 0.0)
    x = np.concatenate([np.ones((len(values), 1)), values, (~known).astype(np.float64)], axis=1)
    weights = likeliest(x, shown.clicked[teaching].astype(np.float64), seen[teaching])
    numbers = (means, scales, weights[1 : 1 + len(names)], weights[1 + len(names) :])
    told = dict(
        zip(("means", "scales", "weights", "missing"), (tuple(map(float, one)) for one in numbers), strict=True)
    )
    model = ClickModel(members=names, intercept=float(weights[0]), seen=1.0, **told)
    ads = {name: shown.scores[shown.ad, place] for place, name in enumerate(names)}
    ratio = shown.clicked[shown.ad].sum() / model.attraction(ads).sum()
    return model.model_copy(update={"seen": float(ratio)})


def likeliest(x: Doubles, clicked: Doubles, seen: Doubles) -> Doubles:
    """(d,) weights that maximise the likelihood of clicks with P = seen x sigmoid(x w), held back by L2."""

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        attraction = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        chance = np.clip(seen * attraction, 1e-9, 1 - 1e-9)
        value = -(clicked * np.log(chance) + (1 - clicked) * np.log1p(-chance)).mean()
        slope = (chance - clicked) / (1 - chance) * (1 - attraction)
        held = np.r_[0.0, weights[1:]]
        return float(value + L2 * held @ held), np.asarray(x.T @ slope / len(x) + 2 * L2 * held)

    start = np.zeros(x.shape[1])
    start[0] = -2.0
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x, dtype=np.float64)
