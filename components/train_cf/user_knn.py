"""User neighbourhood: a release holds the decayed histories of the users met last, without their ids."""

from pathlib import Path

import numpy as np
from pydantic import Field
from scipy import sparse

from components.common.config import Config
from components.train_cf.export import write_member
from components.train_cf.pca import column_norms
from serving.arrays import Longs
from serving.members.history import HistoryWeights
from serving.members.user_knn import UserKnn
from serving.states import UserStates


class UserKnnConfig(Config):
    """Numbers of the user neighbourhood; tuned per shop."""

    neighbours: int = Field(default=300, ge=1, description="histories that a question listens to")
    popularity_power: float = Field(default=0.25, ge=0, le=1, description="similarity: interest over item norm^this")
    users: int = Field(default=50_000, ge=1, description="histories kept: those with the newest events")
    newest: int = Field(default=300, ge=1, description="items kept of one history, the newest")
    half_life: float | None = Field(default=60.0, gt=0, description="asking: interest halves in so many days or visits")
    learning_half_life: float | None = Field(default=60.0, gt=0, description="kept histories: the same; None: never")


class UserKnnTrainer:
    """Nothing is learned but which histories are kept and how much popular items count in the likeness."""

    def __init__(self, config: UserKnnConfig, history: HistoryWeights) -> None:
        """Take the configuration and the clock of the shop's histories."""
        self.config = config
        self.history = history.model_copy(update={"half_life": config.half_life, "counted": False})
        self.learning = self.history.model_copy(update={"half_life": config.learning_half_life})

    def train(self, states: UserStates, n_items: int) -> UserKnn:
        """Keep the histories of the users met last; items are catalogue rows below *n_items*."""
        whole = states.matrix(self.learning.weights(states), n_items)
        scale = column_norms(whole) ** -self.config.popularity_power
        kept = states.take(latest_users(states, self.config.users))
        interest = kept.matrix(self.learning.weights(kept), n_items)
        old = kept.indptr[1:][kept.row_of] - np.arange(len(kept.items)) > self.config.newest
        interest.data[old] = 0.0
        interest.eliminate_zeros()
        known = np.bincount(states.items, minlength=n_items) > 0
        return UserKnn(sparse.csr_matrix(interest), scale, known, self.history, self.config.neighbours)

    def write(self, member: UserKnn, folder: Path) -> None:
        """Write the member's folder."""
        numbers = {
            "config": self.config.model_dump(mode="json"),
            "history": member.history.model_dump(mode="json"),
            "neighbours": member.neighbours,
        }
        rows = member.interest
        arrays = {"indptr": rows.indptr.astype(np.int64), "indices": rows.indices.astype(np.int32), "data": rows.data}
        write_member(folder, member.kind, numbers, {"scale": member.scale, "known": member.known, **arrays})


def latest_users(states: UserStates, most: int) -> Longs:
    """Rows, ascending, of at most *most* users with a history: those with the newest events, ties to the lower row."""
    rows = np.flatnonzero(states.sizes)
    last = states.last_at[states.indptr[1:][rows] - 1]
    return np.sort(rows[np.argsort(-last, kind="stable")[:most]]).astype(np.int64)
