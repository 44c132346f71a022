"""One question to the model: its fields, their bounds, and what is said when they are broken."""

import base64
import math
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator, with_config
from pydantic.functional_validators import AfterValidator
from typing_extensions import TypedDict

from components.common.errors import InputError
from serving.queries import ADS, BUNDLE, CAMPAIGN, RECOMMEND, SEARCH, SIMILAR

MAX_INSTANCES = 256
MAX_K = 200
MAX_PHOTO_BYTES = 180 * 1024
PHOTO = f"expected base64 of a JPEG, PNG, WebP or GIF file of at most {MAX_PHOTO_BYTES >> 10} KiB and 4 megapixels"
WITH_PHOTO = (SEARCH, SIMILAR)
ANCHORS = {SEARCH: "query", SIMILAR: "item_id", BUNDLE: "item_ids"}
CLOSED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class RequestError(InputError):
    """A request that cannot be answered; its message is safe to show to the caller."""

    status = 400


def _bounded(value: float) -> float:
    if not math.isfinite(value) or abs(value) > 1e9:
        raise ValueError("expected a number between -1e9 and 1e9")
    return float(value)


Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Number = Annotated[float, AfterValidator(_bounded)]
Range = Annotated[list[Number], Field(min_length=2, max_length=2)]


@with_config(CLOSED)
class Filters(TypedDict, total=False):
    """What the answer is limited to."""

    category: Id
    brand: Id
    price: Range
    available: bool


@with_config(CLOSED)
class Context(TypedDict, total=False):
    """The moment of the question."""

    new_only: bool
    viewed: Annotated[list[Id], Field(max_length=50)]  # what the user just looked at; unknown ids are passed over


class Instance(BaseModel):
    """A parsed question; fields that its scenario does not use are refused, not ignored."""

    model_config = ConfigDict(frozen=True, **CLOSED)

    scenario: Literal["recommend", "search", "similar", "bundle", "campaign", "ads"]
    user_id: Id | None = None
    query: Annotated[str, StringConstraints(max_length=512)] | None = None
    item_id: Id | None = None
    campaign_id: Id | None = None
    image_b64: Annotated[str, StringConstraints(min_length=1)] | None = None
    item_ids: Annotated[tuple[Id, ...], Field(max_length=50, strict=False)] = ()
    k: int = Field(default=10, ge=1, le=MAX_K)
    explain: bool = False
    filters: Filters = Field(default_factory=Filters)
    weights: Annotated[dict[Id, Number], Field(max_length=64)] = Field(default_factory=dict)
    context: Context = Field(default_factory=Context)

    @model_validator(mode="after")
    def _fits_its_scenario(self) -> Self:
        for scenario, name in ANCHORS.items():
            given = getattr(self, name)
            present = bool(given.strip() if isinstance(given, str) else given)
            if scenario == self.scenario and not present and (scenario not in WITH_PHOTO or self.image_b64 is None):
                raise ValueError(f"scenario '{scenario}' needs '{name}'")
            if scenario != self.scenario and present and (name, self.scenario) != (ANCHORS[SEARCH], ADS):
                raise ValueError(f"'{name}' belongs to scenario '{scenario}', not to '{self.scenario}'")
        self._fits_its_photo()
        self._fits_its_campaign()
        if self.context.get("viewed") and self.scenario != RECOMMEND:
            raise ValueError(f"'context.viewed' belongs to scenario '{RECOMMEND}', not to '{self.scenario}'")
        low, high = self.filters.get("price", (0.0, 0.0))
        if low > high:
            raise ValueError("filters.price: expected [lo, hi] with lo <= hi")
        return self

    def _fits_its_photo(self) -> None:
        if self.image_b64 is None:
            return
        if self.scenario not in WITH_PHOTO:
            raise ValueError(f"'image_b64' belongs to scenario {' or '.join(WITH_PHOTO)}, not to '{self.scenario}'")
        if self.item_id is not None:
            raise ValueError("scenario 'similar' takes 'item_id' or 'image_b64', not both")
        try:
            small = 0 < len(base64.b64decode(self.image_b64, validate=True)) <= MAX_PHOTO_BYTES
        except ValueError:  # letters that base64 does not have
            small = False
        if not small:
            raise ValueError(f"'image_b64': {PHOTO}")

    @property
    def photo(self) -> bytes | None:
        """The file that the question brings."""
        return None if self.image_b64 is None else base64.b64decode(self.image_b64)

    def _fits_its_campaign(self) -> None:
        if self.campaign_id is not None and self.scenario != CAMPAIGN:
            raise ValueError(f"'campaign_id' belongs to scenario '{CAMPAIGN}', not to '{self.scenario}'")
        if self.scenario == CAMPAIGN and self.user_id is None and self.campaign_id is None:
            raise ValueError(f"scenario '{CAMPAIGN}' needs 'user_id', 'campaign_id' or both")
        if self.scenario == ADS and self.user_id is None and not (self.query or "").strip():
            raise ValueError(f"scenario '{ADS}' needs 'user_id' or 'query'")


def parse(raw: object) -> Instance:
    """Check one instance.

    Raises:
        RequestError: not an object, an unknown field, a value out of bounds; names the field, never its value.
    """
    if not isinstance(raw, dict):
        raise RequestError('an instance is a JSON object such as {"scenario": "recommend", "user_id": "208"}')
    try:
        return Instance.model_validate(raw)
    except ValidationError as error:
        raise RequestError(_message(error)) from error


def parse_all(raw: object) -> list[Instance]:
    """Check the list of instances of one request; the number of the offending one is in the message."""
    if not isinstance(raw, list) or not raw:
        raise RequestError("'instances' must be a list of at least one object")
    if len(raw) > MAX_INSTANCES:
        raise RequestError(f"found {len(raw)} instances; one request holds at most {MAX_INSTANCES}")
    parsed = []
    for number, value in enumerate(raw):
        try:
            parsed.append(parse(value))
        except RequestError as error:
            raise RequestError(f"instances[{number}]: {error}") from error
    return parsed


def parse_json(text: object) -> Any:
    """The value of one JSON text, as the elements of the V2 tensor hold it."""
    if not isinstance(text, str | bytes):
        raise RequestError("an element of tensor 'instances' is a string that holds one instance as JSON")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError("an element of tensor 'instances' is not valid JSON") from error


def _message(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    unknown = [_name(problem["loc"]) for problem in problems if problem["type"] == "extra_forbidden"]
    if unknown:
        known = ", ".join(Instance.model_fields)
        return f"unknown field{'s' if len(unknown) > 1 else ''} {', '.join(unknown[:5])}; known fields: {known}"
    first = problems[0]
    text = first["msg"].removeprefix("Value error, ")
    return f"{_name(first['loc'])}: {text}" if first["loc"] else text


def _name(location: tuple[int | str, ...]) -> str:
    return "'" + ".".join(str(part) for part in location)[:80] + "'"
