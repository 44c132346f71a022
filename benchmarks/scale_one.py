"""One training of the scale bench, in a process of its own: a made shop, one member, seconds and memory."""

import argparse
import gc
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.common import columns as c
from components.common.files import write_json
from components.common.moments import DAY
from components.train_cf.material import Material
from components.train_cf.recipes import RECIPES
from components.train_cf.repurchase import Examples, RepurchaseConfig, RepurchaseTrainer
from serving.members.history import HistoryWeights
from serving.states import UserStates

START = 1_700_000_000_000_000  # µs
MEAN, SPREAD, LONGEST = 9, 0.8, 200  # visits of a user: log-normal, cut off
ZIPF = 1.0
REPURCHASE = "repurchase"
REPEATS, QUICK = 3, 5.0  # fits quicker than so many seconds are measured so often
WITHOUT_STATES = ("cooccurrence",)  # learns from the visits alone


def made_visits(size: int, seed: int, zipf: float = ZIPF) -> pd.DataFrame:
    """Rows of `visit_items` of *size* users and *size* items: one item a visit, a visit a day, some 9 visits a user.

    The item of rank r is drawn with weight r^-*zipf*, by every user alike: without groups of taste more distinct pairs
    meet than in a real shop, the harder case.
    """
    rng = np.random.default_rng(seed)
    lengths = np.rint(rng.lognormal(np.log(MEAN) - SPREAD**2 / 2, SPREAD, size)).clip(1, LONGEST).astype(np.int64)
    user = np.repeat(np.arange(size, dtype=np.int32), lengths)
    visit = (np.arange(len(user)) - np.repeat(np.cumsum(lengths) - lengths, lengths)).astype(np.int32)
    weight = np.arange(1, size + 1, dtype=np.float64) ** -zipf
    rank = np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(len(user)))
    item = rng.permutation(size).astype(np.int32)[np.minimum(rank, size - 1)]
    at = START + visit.astype(np.int64) * DAY
    return pd.DataFrame({c.USER: user, c.VISIT: visit, c.ITEM: item, "at": at, "weight": np.float32(1)})


def material_of(visits: pd.DataFrame, size: int, states: bool = True) -> Material:
    """What trainers take; without *states* nothing is known of any user."""
    as_of = int(visits["at"].max())
    known = visits if states else visits.iloc[:0]
    found = UserStates.from_visits(known, np.arange(size), as_of)
    return Material(visits, found, as_of, size, HistoryWeights(clock="visits"))


def examples_of(visits: pd.DataFrame, size: int) -> Examples:
    """Histories before each user's last visit, and which of their items that visit holds."""
    last = visits[c.VISIT].to_numpy() == visits.groupby(c.USER)[c.VISIT].transform("max").to_numpy()
    states = UserStates.from_visits(visits[~last], np.arange(size), int(visits["at"].max()))
    came = visits.loc[last, c.USER].to_numpy(np.int64) * size + visits.loc[last, c.ITEM].to_numpy()
    return Examples(states, np.isin(states.row_of * size + states.items, came))


def fit(member: str, visits: pd.DataFrame, size: int, seed: int) -> dict[str, Any]:
    """Train *member* with the numbers its search starts from.

    Returns:
        fit_s: its processor seconds; clock_s: the same on the clock; states_s: of what members share; fits: how often.
    """
    started = time.process_time()
    material = material_of(visits, size, member not in WITHOUT_STATES)
    examples = examples_of(visits, size) if member == REPURCHASE else None
    states = time.process_time() - started
    taken: list[float] = []
    clock: list[float] = []
    while len(taken) < REPEATS and (not taken or taken[0] < QUICK):
        material = Material(material.visits, material.states, material.as_of, size, material.history)
        gc.collect()
        started, worked = time.perf_counter(), time.process_time()
        if examples is not None:
            RepurchaseTrainer(RepurchaseConfig()).train(examples, material.states, size)
        else:
            recipe = RECIPES[member]
            recipe.train(recipe.begin(material, seed).model_copy(update=dict(recipe.final)), material)
        taken.append(time.process_time() - worked)
        clock.append(time.perf_counter() - started)
    fitted = {"fit_s": round(float(np.median(taken)), 3), "clock_s": round(float(np.median(clock)), 3)}
    return fitted | {"states_s": round(states, 3), "fits": len(taken)}


def main() -> None:
    """Measure one member at one size and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--zipf", type=float, default=ZIPF)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, required=True)
    asked = parser.parse_args()
    visits = made_visits(asked.size, asked.seed, asked.zipf)
    before = _peak_mb()
    found = fit(asked.member, visits, asked.size, asked.seed)
    sizes = {"interactions": len(visits), "before_mb": before, "peak_mb": _peak_mb()}
    write_json(asked.result, found | sizes)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
