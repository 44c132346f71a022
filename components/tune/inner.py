"""Where members are tried: a shop without its latest training events, and those events to be found."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from components.common import columns as c
from components.common.config import Effort
from components.common.prepared import Cut, Prepared
from components.train_cf.histories import clock_of, now_of
from components.train_cf.recipes import Material
from components.train_cf.tuning import HoldOut, hold_out
from components.tune.study import Cases
from serving.catalogue import Catalogue
from serving.members.base import load_members
from serving.members.history import HistoryWeights
from serving.states import UserStates


@dataclass(frozen=True)
class Inner:
    """A shop as it was before the hold-out of its newest fit window's training: nothing later is ever looked at.

    shop: holds only the events that trials learn from. cut: the training of that shop. held: what they are judged by.
    effort: of the run that is tuned for.
    """

    shop: Prepared
    cut: Cut
    held: HoldOut
    effort: Effort

    @classmethod
    def of(cls, prepared: Prepared, effort: Effort, seed: int) -> "Inner":
        """Hold out the last window (temporal) or the last visit of some users (leave-one-out)."""
        cut = prepared.split.tuning
        held = hold_out(prepared, cut, effort, seed)
        learned = held.visits[[c.USER, c.VISIT]].drop_duplicates()
        train = prepared.train(cut)
        events = train.merge(learned, on=[c.USER, c.VISIT], how="inner", sort=False).reset_index(drop=True)
        if cut.hold_out is None:
            cut = cut.model_copy(update={"as_of": held.as_of, "until": now_of(prepared, cut)})
        return cls(replace(prepared, events=events), cut, held, effort)

    @cached_property
    def material(self) -> Material:
        """What collaborative members learn from."""
        states = UserStates.from_visits(self.held.visits, np.arange(len(self.shop.users)), self.held.as_of)
        history = HistoryWeights(clock=clock_of(self.shop))
        return Material(self.held.visits, states, self.held.as_of, len(self.shop.items), history)

    def judge(self, train: Callable[[Path], object]) -> Cases:
        """(n,) NDCG@20 of the held-out users by the member that *train* writes into the folder it is given."""
        with TemporaryDirectory() as folder:
            train(Path(folder) / "member")
            (member,) = load_members(Path(folder), Catalogue(self.shop.items)).values()
            return self.held.score(member)
