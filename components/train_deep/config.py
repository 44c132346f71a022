"""The settings of the deep member, each said where it is declared."""

from typing import Any, Literal

from pydantic import Field

from components.common.config import Config, Effort


class DeepConfig(Config):
    """How the deep member is built and trained; the defaults are those of one item a visit at effort fast."""

    encoder: Literal["gru", "attention"] = Field(default="attention", description="what reads the history")
    embedding_size: int = Field(default=128, ge=4, description="length of user and item vectors")
    heads: int = Field(default=4, ge=1, description="attention heads; unused by the GRU")
    length: int = Field(default=50, ge=1, description="items of a history that are read, the newest ones")
    max_age: int = Field(default=63, ge=1, description="visits since an item was met; older ones count as that old")
    forgetting: float = Field(default=0.35, gt=0, description="histories start out fading by exp(-forgetting) a visit")
    text_size: int = Field(default=64, ge=1, description="principal components kept of the text embedding")
    feature_size: int = Field(default=32, ge=1, description="length of category and brand embeddings")
    min_token_items: int = Field(default=2, ge=1, description="categories and brands of fewer items are not learned")
    warm_start: bool = Field(default=True, description="item ids start at factors of what users met together")
    epochs: int = Field(default=8, ge=1, description="most passes over the positions")
    max_steps: int = Field(default=600, ge=1, description="most optimiser steps, whatever the epochs say")
    look_every: int = Field(default=100, ge=1, description="steps between two looks at the hold-out")
    patience: int = Field(default=2, ge=0, description="looks without a gain that are forgiven before training stops")
    batch_size: int = Field(default=512, ge=1, description="positions a step")
    user_balance: float = Field(default=0, ge=0, le=1, description="0: positions count alike; 1: users count alike")
    targets: int = Field(default=4, ge=1, description="targets drawn of one position, if it has more")
    negatives: int = Field(default=1024, ge=1, description="items drawn for a step's softmax beside the targets")
    learning_rate: float = Field(default=0.001, gt=0, description="Adam's step")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="share of features and user layers left out")
    id_dropout: float = Field(default=0.1, ge=0, lt=1, description="share of items seen without id, as cold ones are")
    hold_out_users: int = Field(default=2000, ge=0, description="users, at most, whose latest events tell when to stop")
    hold_out_share: float = Field(default=0.5, ge=0, lt=1, description="of the users, at most, that are so held out")
    seed: int = Field(default=0, description="of every random choice")

    def steps(self, positions: int) -> int:
        """Optimiser steps at most for so many *positions*."""
        return max(1, min(self.max_steps, self.epochs * positions // self.batch_size))


BASKETS: dict[str, Any] = {
    "length": 200,
    "forgetting": 0.03,
    "embedding_size": 64,
    "batch_size": 256,
    "max_steps": 300,
    "user_balance": 1.0,
    "learning_rate": 0.0007,
    "hold_out_share": 0.25,
}
FULL: dict[str, Any] = {"epochs": 40, "max_steps": 4000, "learning_rate": 0.0005, "negatives": 4096, "patience": 4}


def config_for(effort: Effort, seed: int, baskets: bool) -> DeepConfig:
    """The settings of an *effort*, for histories of *baskets* (longer, order says little) or of single items."""
    values = {"seed": seed} | (BASKETS if baskets else {}) | (FULL if effort == "full" else {})
    return DeepConfig.parse(values, "train_deep")
