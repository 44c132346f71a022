"""The settings of the deep member, each said where it is declared."""

from typing import Any, Literal

from pydantic import Field

from components.common.config import Config, Effort

Encoder = Literal["mlp", "cnn", "gru", "lstm", "attention", "transformer"]
Photos = Literal["none", "vector", "cscnn", "deepfusion"]
Passes = Literal["positions", "sequences"]


class DeepConfig(Config):
    """How the deep member is built and trained; the defaults are those of one item a visit at effort fast."""

    encoder: Encoder = Field(default="mlp", description="what reads the history beside its age-weighted mean")
    rivals: tuple[Encoder, ...] = Field(default=(), description="encoders tried against it; the best stays")
    photos: Photos = Field(default="none", description="how an item's photo joins what else is known of the item")
    photo_rivals: tuple[Photos, ...] = Field(
        default=(), description="ways tried against it where the shop has photos; the best stays"
    )
    passes: Passes = Field(
        default="sequences", description="a row a position, as serving sees it; or a row a history, read at every entry"
    )
    embedding_size: int = Field(default=128, ge=4, description="length of user and item vectors")
    heads: int = Field(default=4, ge=1, description="attention heads, weighted sums of the cnn")
    blocks: int = Field(default=2, ge=1, description="layers of self-attention; of the transformer alone")
    window: int = Field(default=5, ge=1, description="newest items whose patterns are read; of the cnn alone")
    filters: int = Field(default=16, ge=1, description="patterns of each height that are looked for; of the cnn alone")
    length: int = Field(default=50, ge=1, description="items of a history that are read, the newest ones")
    max_age: int = Field(default=63, ge=1, description="visits since an item was met; older ones count as that old")
    forgetting: float = Field(default=0.35, gt=0, description="histories start out fading by exp(-forgetting) a visit")
    text_size: int = Field(default=64, ge=1, description="principal components kept of the text embedding")
    photo_size: int = Field(default=64, ge=1, description="principal components kept of a photo's vector")
    feature_size: int = Field(default=32, ge=1, description="length of category, brand and attribute embeddings")
    min_token_items: int = Field(default=2, ge=1, description="tokens of fewer items are not learned")
    warm_start: bool = Field(default=True, description="item ids start at factors of what users met together")
    start_length: float = Field(default=2.0, gt=0, description="mean length of item ids at the start")
    epochs: int = Field(default=8, ge=1, description="most passes over the positions")
    max_steps: int = Field(default=450, ge=1, description="most optimiser steps, whatever the epochs say")
    more_steps: int = Field(default=100, ge=1, description="most steps where an older cut's training goes on")
    trial_steps: int = Field(default=300, ge=1, description="most steps of a design's trial")
    look_every: int = Field(default=150, ge=1, description="steps between two looks at the hold-out")
    patience: int = Field(default=2, ge=0, description="looks without a gain that are forgiven before training stops")
    batch_size: int = Field(default=512, ge=1, description="positions a step")
    user_balance: float = Field(
        default=0, ge=0, le=1, description="0: positions count alike; 1: users count alike; of passes over positions"
    )
    targets: int = Field(default=4, ge=1, description="targets drawn of one position, if it has more")
    negatives: int = Field(default=512, ge=1, description="items drawn for a step's softmax beside the targets")
    other_weight: float = Field(default=0.5, ge=0, description="of the loss of events that are no success, together")
    learning_rate: float = Field(default=0.005, gt=0, description="Adam's first step; it falls along a cosine")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="share of features and user layers left out")
    id_dropout: float = Field(default=0.1, ge=0, lt=1, description="share of items seen without id, as cold ones are")
    hold_out_users: int = Field(default=2000, ge=0, description="users, at most, whose latest events tell when to stop")
    hold_out_share: float = Field(default=0.5, ge=0, lt=1, description="of the users, at most, that are so held out")
    seed: int = Field(default=0, description="of every random choice")

    def steps(self, positions: int) -> int:
        """Optimiser steps at most for so many *positions*."""
        return max(1, min(self.max_steps, self.epochs * positions // self.batch_size))


BASKETS: dict[str, Any] = {
    "encoder": "attention",
    "passes": "positions",
    "length": 100,
    "forgetting": 0.03,
    "embedding_size": 64,
    "start_length": 1.0,
    "batch_size": 256,
    "max_steps": 200,
    "more_steps": 60,
    "look_every": 100,
    "user_balance": 1.0,
    "learning_rate": 0.001,
    "hold_out_share": 0.25,
}
FULL: dict[str, Any] = {
    "embedding_size": 256,
    "negatives": 1024,
    "epochs": 40,
    "max_steps": 1000,
    "more_steps": 250,
    "trial_steps": 200,
    "patience": 4,
}
FULL_ORDERED = {"rivals": ("attention", "transformer"), "learning_rate": 0.002, "hold_out_users": 3000}
FULL_BASKETS = {"rivals": ("mlp",), "embedding_size": 64, "length": 200}
TABLE, SHORTEST = 2**24, 64  # numbers in the item vectors, at most, and the length that is kept whatever they take


def config_for(effort: Effort, seed: int, baskets: bool, discovery: bool, n_items: int) -> DeepConfig:
    """The settings of an *effort*, for histories of *baskets* (longer, order says little) or of single items.

    Only for *discovery*, where each item is met once, can a history be read in one pass. Vectors shorten as the
    catalogue grows, since serving holds them all and multiplies by them.
    """
    full = FULL | (FULL_BASKETS if baskets else FULL_ORDERED) if effort == "full" else {}
    values = {"seed": seed} | (BASKETS if baskets else {}) | full | ({} if discovery else {"passes": "positions"})
    size = int(values.get("embedding_size", DeepConfig().embedding_size))
    while size > SHORTEST and size * n_items > TABLE:
        size //= 2
    return DeepConfig.parse(values | {"embedding_size": size}, "train_deep")
