"""KServe's model `cuvee`: V1 and V2 requests in, the engine's answers out."""

import uuid
from typing import Any

import orjson
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model

from components.common.identity import pseudonym
from serving import metrics
from serving.breaker import Breakers
from serving.deadline import Split
from serving.instances import Instance, RequestError, parse_all, parse_json
from serving.lane import Lane
from serving.live import MODEL_NAME, Live
from serving.queries import CAMPAIGN
from serving.telemetry import noted

INPUT, OUTPUT, BYTES = "instances", "predictions", "BYTES"
BULK = 16  # more instances than this in one request are no customer who waits; so many are answered together
BULK_TIMES = 10  # the deadlines that such a request has


class CuveeModel(Model):  # type: ignore[misc]
    """Answers from one live release, which may be replaced between two requests."""

    def __init__(self, live: Live, id_key: bytes, split: Split = Split()) -> None:  # noqa: B008  (frozen)
        super().__init__(MODEL_NAME)
        self._live, self._id_key = live, id_key
        metrics.serving(live.digest)
        breakers = Breakers(metrics.breaker)
        self._lane = Lane("engine", split, breakers, BULK)
        self._bulk = Lane("bulk", Split(split.deadline * BULK_TIMES), breakers)
        self.ready = True

    @property
    def live(self) -> Live:
        """What the next request is answered from."""
        return self._live

    def replace(self, live: Live) -> None:
        """Answer from *live* from the next request on."""
        self._live = live
        metrics.serving(live.digest)

    def start(self) -> None:
        """Nothing to prepare: a Live has been verified, loaded and tried."""

    def get_input_types(self) -> list[dict[str, Any]]:
        """The V2 input: one instance as JSON per element."""
        return [{"name": INPUT, "datatype": BYTES, "shape": [-1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The V2 output: one prediction as JSON per element."""
        return [{"name": OUTPUT, "datatype": BYTES, "shape": [-1]}]

    async def predict(self, payload: Any, _headers: dict[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Answer a V1 body {"instances": [...]} or a V2 request with one BYTES tensor `instances` [n].

        Raises:
            RequestError: the request breaks its contract; serving.door answers 400.
        """
        if isinstance(payload, InferRequest):
            own_id = _id_of(payload)
            texts = [orjson.dumps(answer).decode() for answer in await self._answer(_tensor(payload))]
            output = InferOutput(name=OUTPUT, shape=[len(texts)], datatype=BYTES, data=texts)
            return InferResponse(response_id=own_id, model_name=MODEL_NAME, infer_outputs=[output])
        return {"predictions": await self._answer(listed(payload))}

    async def _answer(self, raw: object) -> list[dict[str, Any]]:
        """Parse, then answer in the engine's own thread: health checks need not wait for a ranking."""
        instances = [self._at_the_door(instance) for instance in parse_all(raw)]
        live, lane = self._live, self._bulk if _is_bulk(instances) else self._lane
        told = await lane.run(live.told, instances)
        answers: list[dict[str, Any]] = [answer for answer, _ in told]
        metrics.predicted(answers)
        if lane is self._lane:  # the shop's own lists are not shown to anybody now
            metrics.asked(told)
        notes = noted.get()
        if notes is not None:
            notes.say([instance.scenario for instance in instances], answers)
        return answers

    def _at_the_door(self, instance: Instance) -> Instance:
        """Raw user ids go no further than here."""
        if instance.user_id is None:
            return instance
        return instance.model_copy(update={"user_id": pseudonym(instance.user_id, self._id_key)})


def _is_bulk(instances: list[Instance]) -> bool:
    """Is this one of the shop's own requests: many instances, or all the users of a campaign."""
    return len(instances) > BULK or any(i.scenario == CAMPAIGN and i.user_id is None for i in instances)


def listed(payload: object) -> object:
    """The instances of a V1 body.

    Raises:
        RequestError: the body is another.
    """
    if not isinstance(payload, dict) or "instances" not in payload:
        raise RequestError('the body is a JSON object with "instances": [...]')
    unknown = sorted(str(name)[:64] for name in payload.keys() - {"instances"})
    if unknown:
        raise RequestError(f"unknown field '{unknown[0]}' beside 'instances'")
    return payload["instances"]


def _id_of(request: InferRequest) -> str:
    """The id that is sent back, or one of our own: KServe cannot encode a response without one."""
    own_id: str = request.id or uuid.uuid4().hex
    try:
        own_id.encode()
    except UnicodeEncodeError as error:
        raise RequestError("'id' holds half a character, a lone surrogate, and cannot be sent back") from error
    return own_id


def _tensor(request: InferRequest) -> list[Any]:
    tensors: list[InferInput] = request.inputs
    if len(tensors) != 1 or tensors[0].name != INPUT or tensors[0].datatype != BYTES:
        raise RequestError(f"expected one tensor '{INPUT}' of datatype {BYTES}")
    data = tensors[0].data
    if not isinstance(data, list) or list(tensors[0].shape) != [len(data)]:
        raise RequestError(f"tensor '{INPUT}': expected shape [n] and n elements of data")
    return [parse_json(text) for text in data]
