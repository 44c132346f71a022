"""How weights are learned: what an effort may cost, and what a settings file may say instead."""

from collections.abc import Mapping

from pydantic import Field

from components.common.config import Config, Effort
from components.fuse.stacker import SHAPES, Shape


class FusionConfig(Config):
    """Numbers of the fuse stage; the section `fusion` of a settings file."""

    users: int = Field(default=6_000, ge=1, description="users a task learns from, over all fit windows")
    folds: int = Field(default=3, ge=2, description="parts of the cross-fit")
    rows: int = Field(default=800_000, ge=1, description="candidates learned from, at most")
    methods: tuple[str, ...] = Field(default=(), description="methods that may serve; empty: all")
    shapes: dict[str, Shape] = Field(default_factory=lambda: dict(SHAPES), description="by stacker, of its trees")


EFFORTS: Mapping[Effort, FusionConfig] = {
    "fast": FusionConfig(),
    "full": FusionConfig(users=20_000, folds=5),
}
