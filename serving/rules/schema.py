"""Rules as data: what may be said, checked when it is read."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from components.common.config import Config
from serving.instances import MAX_K, Id
from serving.queries import BUNDLE, DISCOVERY, NEXT_BASKET, RECOMMEND, SCENARIOS, SIMILAR
from serving.rules.conditions import item_condition, user_condition

MAX_RULES = 200
TASKS = (*SCENARIOS, DISCOVERY, NEXT_BASKET)


def _task(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"unknown task '{name:.40}'; expected {', '.join(TASKS)}")
    return name


def _about_items(text: str) -> str:
    item_condition(text)
    return text


def _about_users(text: str) -> str:
    user_condition(text)
    return text


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class _Rule(Config):
    """What every rule has: a name, and when it is in force."""

    name: Name = Field(description="unique; shown in `why` as rule:<name>")
    active: bool = Field(True, description="false: the rule is kept, but not followed")
    tasks: tuple[Annotated[str, AfterValidator(_task)], ...] = Field(
        (), description="scenarios or tasks it is for (recommend: both of its tasks); empty: all"
    )
    starts_at: Moment | None = Field(None, description="in force from here on, by the server's as_of; UTC")
    ends_at: Moment | None = Field(None, description="in force before this moment")
    when: Annotated[str, AfterValidator(_about_users)] | None = Field(None, description="condition over the user")
    given: tuple[Id, ...] = Field((), max_length=20, description="in force where the history or basket holds them all")
    confidence: float | None = Field(None, ge=0, le=1, description="of a mined rule: how often it held; for people")
    support: int | None = Field(None, ge=1, description="of a mined rule: in how many baskets it held; for people")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError(f"ends_at {self.ends_at.isoformat()} is not after starts_at")
        return self

    def is_for(self, task: str) -> bool:
        """Is it followed in *task*."""
        scenario = RECOMMEND if task in (DISCOVERY, NEXT_BASKET) else task
        return self.active and (not self.tasks or task in self.tasks or scenario in self.tasks)


class _ItemRule(_Rule):
    """A rule about the items that satisfy all of `category`, `items` and `met`."""

    category: str = Field("", description="a category path or its beginning")
    items: Annotated[str, AfterValidator(_about_items)] | None = Field(None, description="condition over the item")
    met: bool = Field(False, description="only items of the user's history, or the items asked about")

    @model_validator(mode="after")
    def _says_which_items(self) -> Self:
        if not (self.category or self.items or self.met or self._more()):
            raise ValueError("says of no item: give it 'category', 'items' or 'met'")
        return self

    def _more(self) -> bool:
        """Does the action know items by something else."""
        return False


class Filter(_ItemRule):
    """Leave items out of recall and of the answer."""

    action: Literal["filter"] = "filter"
    substitutes: bool = Field(
        False, description="only items that stand in for one of the history or of the items asked about"
    )

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.met and self.substitutes:
            raise ValueError("'met' and 'substitutes' are about different items: make two rules of them")
        return self

    def _more(self) -> bool:
        return self.substitutes


class Pin(_ItemRule):
    """Show the best-scored of the items at one position; scores stay as they are."""

    action: Literal["pin"] = "pin"
    position: int = Field(ge=1, le=MAX_K, description="counted from 1")


class Boost(_ItemRule):
    """Add to the score."""

    action: Literal["boost"] = "boost"
    by: float = Field(gt=0, le=1, description="share of the distance between the best and the worst candidate's score")


class Bury(_ItemRule):
    """Take from the score."""

    action: Literal["bury"] = "bury"
    by: float = Field(gt=0, le=1, description="share of the distance between the best and the worst candidate's score")


class Diversify(_Rule):
    """Choose the first positions so that they are not alike; scores stay as they are."""

    action: Literal["diversify"] = "diversify"
    first: int = Field(10, ge=1, le=MAX_K, description="how many positions")
    mmr: float | None = Field(None, gt=0, le=1, description="how much unlikeness counts against the score")
    over: Literal["vectors", "category"] = Field("vectors", description="in what items are alike")
    per_category: int | None = Field(None, ge=1, description="at most so many of one category")
    level: int | None = Field(None, ge=1, le=8, description="depth of the category that is counted; none: all of it")
    per_brand: int | None = Field(None, ge=1, description="at most so many of one brand")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.mmr is None and self.per_category is None and self.per_brand is None:
            raise ValueError("does nothing: give it 'mmr', 'per_category' or 'per_brand'")
        if self.level is not None and self.per_category is None:
            raise ValueError("'level' belongs to 'per_category'")
        return self


ItemRule = Filter | Pin | Boost | Bury
Rule = Annotated[ItemRule | Diversify, Field(discriminator="action")]


def _listed(rules: object) -> object:
    """`rules:` with every rule commented out is a set of none."""
    return () if rules is None else rules


class Rules(Config):
    """A set of rules, in the order in which they are asked."""

    schema_version: Literal[2] = 2
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES), BeforeValidator(_listed)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        repeated = _repeated(rule.name for rule in self.rules)
        if repeated:
            raise ValueError(f"two rules are called '{repeated}'; rename one")
        return self

    def over(self, others: "Rules") -> "Rules":
        """These and those of *others* that have another name; the others come first."""
        own = {rule.name for rule in self.rules}
        kept = tuple(rule for rule in others.rules if rule.name not in own)
        return Rules(rules=(*kept, *self.rules))


def _repeated(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


STANDARD = Rules(
    rules=(
        Filter(name="unavailable", items="not available"),
        Filter(name="seen", tasks=(DISCOVERY, SIMILAR, BUNDLE), met=True),
        Filter(name="substitutes", tasks=(BUNDLE,), substitutes=True),
    )
)
