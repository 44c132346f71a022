"""Frozen, closed, typed configuration; YAML only fills it."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from components.common.columns import EVENT_KINDS, TABLES
from components.common.errors import ConfigError

Protocol = Literal["temporal", "leave-one-out"]
Effort = Literal["fast", "full"]
Task = Literal["discovery", "next_basket"]
Smaller = Literal["none", "float16", "int8", "pruned", "pruned-int8", "distilled"]  # see components.package.shrink


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
            raise ConfigError(f"{source}: {_explained(error, cls)}") from error

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a YAML file; a missing file or a typo stops before any work starts."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: expected 'name: value' lines, found {type(values).__name__}.")
        return cls.parse(values, str(path))


def _explained(error: ValidationError, config: type[BaseModel]) -> str:
    """The first thing that is wrong, in words."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = get_close_matches(name, config.model_fields, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        return f"unknown name '{name}'.{meant} Known names: {', '.join(sorted(config.model_fields))}."
    told = first["msg"].removeprefix("Value error, ")
    return f"'{name}': {told} (found {first.get('input')!r:.100})."


DEFAULT_WEIGHTS = {"view": 0.2, "click": 0.3, "cart": 0.6, "purchase": 1.0, "rating": 1.0, "review": 1.0, "share": 0.5}


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
        default_factory=dict,
        validate_default=True,
        description="how much one event of a kind says about interest; kinds not named keep their default",
    )
    minimum_rows: dict[str, int] = Field(default_factory=dict, description="per table: fewer rows stop the run")

    @field_validator("event_weights")
    @classmethod
    def _weighs_every_kind(cls, weights: dict[str, float]) -> dict[str, float]:
        _known(weights, EVENT_KINDS)
        if min(weights.values(), default=0.0) < 0:
            raise ValueError("expected weights of at least 0")
        return DEFAULT_WEIGHTS | weights

    @field_validator("target_events")
    @classmethod
    def _names_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        _known(kinds, EVENT_KINDS)
        return kinds

    @field_validator("minimum_rows")
    @classmethod
    def _names_tables(cls, rows: dict[str, int]) -> dict[str, int]:
        _known(rows, TABLES)
        return rows


def _known(names: Iterable[str], known: tuple[str, ...]) -> None:
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise ValueError(f"unknown '{unknown:.40}'; expected {', '.join(known)}")
