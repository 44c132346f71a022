"""The search for how the blend is learned, judged by cross-fitting on the fit windows."""

from collections.abc import Sequence
from functools import partial

from components.common.config import Effort
from components.common.prepared import Prepared
from components.fuse.config import EFFORTS, FusionConfig
from components.fuse.heads import softmax_head
from components.fuse.judging import cross_fit, held_out, judge
from components.fuse.lists import FitSet, Lists
from components.fuse.run import FEWEST_USERS, Inputs, fit_engines, fit_sets
from components.fuse.second_level import Start
from components.fuse.spaces import KIND, SPACE
from components.fuse.stacker import stacker
from components.tune.members import Search, filled, value_at
from components.tune.study import Cases, Values


def fusion_search(inputs: Inputs, effort: Effort, seed: int) -> Search | None:
    """The search for the stacker's trees over the lists of the shop's own task.

    None where there are too few lists to learn from, or nothing is known of the moment.
    """
    shop, start = Prepared.load(inputs.prepared), EFFORTS[effort]
    sets = fit_sets(inputs, shop, fit_engines(inputs, shop), shop.shop.task, start, seed)
    if sum(len(fit) for fit in sets) < FEWEST_USERS:
        return None
    lists = Lists.of(sets, start.rows, seed)
    if not len(lists) or not lists.moments or len(lists.members) < 2:
        return None

    def objective(values: Values) -> Cases:
        return cross_fitted(sets, lists, filled(start, values), seed)

    return Search("fusion", {name: value_at(start, name) for name in SPACE}, SPACE, objective)


def cross_fitted(sets: Sequence[FitSet], lists: Lists, config: FusionConfig, seed: int) -> Cases:
    """NDCG@10 of every list under one ensemble of trees that was learned without the list's window or fold."""
    folds = held_out(sets, config.folds, seed)
    method = partial(stacker, start=Start(softmax_head, seed), kind=KIND, shape=config.shapes[KIND], seeds=1, seed=seed)
    return judge(sets, folds, cross_fit(sets, folds, lists, {KIND: method}, {}))[KIND]
