"""Frozen, closed, typed configuration; YAML only fills it."""

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.common.errors import ConfigError

Protocol = Literal["temporal", "leave-one-out"]
Effort = Literal["fast", "full"]
Task = Literal["discovery", "next_basket"]


class Config(BaseModel):
    """Base of every configuration object: unknown names are errors, values cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, values: dict[str, Any], source: str) -> Self:
        """Validate *values*, naming *source* in the error.

        Raises:
            ConfigError: an unknown name or a wrong value.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            known = ", ".join(sorted(cls.model_fields))
            raise ConfigError(
                f"{source}: '{name}': {first['msg']} (found {first.get('input')!r}). Known names: {known}."
            ) from error

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a YAML file; a missing file or a typo stops before any work starts."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: cannot be read as YAML: {error}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected 'name: value' lines, found {type(values).__name__}.")
        return cls.parse(values, str(path))


class ShopConfig(Config):
    """`shop.yaml`: what a shop's tables cannot say by themselves."""

    repeat_purchases: bool | None = Field(None, description="do users buy the same item again; None: measured")
    task: Task = Field("discovery", description="which task the top level of metrics.json reports")
    window_days: float | None = Field(None, gt=0, description="length of fit and test windows; None: 28 or span/13")
    min_item_users: int = Field(0, ge=0, description="catalogue: items with at least this many users before the test")
    languages: tuple[str, ...] = Field(("en",), description="languages of the texts")
    currency: str = Field("USD", description="ISO code, shown with prices")
    ordinal_time: bool = Field(False, description="timestamps give order only: no clock features")
    target_events: tuple[str, ...] = Field(
        (), description="event kinds that count as success; empty: purchase if there is any, else all"
    )
    event_weights: dict[str, float] = Field(
        default_factory=lambda: {
            "view": 0.2,
            "click": 0.3,
            "cart": 0.6,
            "purchase": 1.0,
            "rating": 1.0,
            "review": 1.0,
            "share": 0.5,
        },
        description="how much one event of a kind says about interest",
    )
    minimum_rows: dict[str, int] = Field(default_factory=dict, description="per table: fewer rows stop the run")
