"""What the trainers learn from, and what kind of shop it is."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd

from components.common import columns as c
from components.train_cf.cooccurrence import Visits
from serving.members.history import HistoryWeights
from serving.states import UserStates

Kind = Literal["ordered", "baskets"]
BASKET = 1.5  # items a visit on average: above it order within a visit says nothing


@dataclass(frozen=True)
class Material:
    """What trainers learn from: rows of `visit_items`, the users' states at *as_of* (µs), and the shop's clock."""

    visits: pd.DataFrame
    states: UserStates
    as_of: int
    n_items: int
    history: HistoryWeights

    @cached_property
    def ordered(self) -> Visits:
        """The visits in their order."""
        return Visits.of(self.visits, self.n_items, self.as_of, self.history)

    @cached_property
    def baskets(self) -> bool:
        """Do visits hold several items."""
        return len(self.visits) > BASKET * len(self.visits[[c.USER, c.VISIT]].drop_duplicates())

    @property
    def kind(self) -> Kind:
        """Ordered: a visit is one item and order tells; baskets: a visit is many and order within it does not."""
        return "baskets" if self.baskets else "ordered"

    @property
    def days(self) -> bool:
        """Is age measured in days."""
        return self.history.clock == "days"
