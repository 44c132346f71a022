"""The first step of the graph: everything that an answer will look up, looked up once and written down.

The engine answers the request with members that say nothing yet. What it asked on the way (users, encodings, members)
is the question that goes through the graph: no second account of what a scenario needs is kept here.
"""

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
import orjson

from serving.ads import Shown
from serving.arrays import Floats
from serving.encoder import TextEncoder
from serving.engine import Engine
from serving.graph import wire
from serving.image_encoder import ImageEncoder
from serving.instances import Instance, RequestError, parse_all
from serving.live import Features, Live
from serving.members.base import Member
from serving.queries import ADS, RECOMMEND, Queries
from serving.states import UserStates

QUESTION = "question"  # the step that gives the question on, and the text of what only the last step reads
ScoreAll = Callable[[Queries], Floats]


@dataclass(frozen=True)
class Batch:
    """Questions, and the members that were asked them."""

    queries: Queries
    members: tuple[str, ...]


@dataclass
class Question:
    """A request with what its answer reads. users: None where nobody was looked up; lost: they could not be read."""

    release: str
    as_of: int
    instances: list[Instance]
    batches: list[Batch] = field(default_factory=list)
    users: UserStates | None = None
    lost: bool = False
    stale: frozenset[str] = frozenset()  # users of whom what is known is too old to count
    texts: dict[str, Floats] = field(default_factory=dict)
    photos: dict[str, Floats] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def out(self) -> dict[str, Any]:
        """As the JSON that goes through the graph; `members` alone is for members, and names nobody."""
        inner = {
            "as_of": self.as_of,
            "instances": [instance.model_dump(exclude_unset=True) for instance in self.instances],
            "users": None if self.users is None else [list(self.users.user_ids), wire.states_out(self.users)],
            "lost": self.lost,
            "stale": sorted(self.stale),
            "texts": wire.vectors_out(self.texts),
            "photos": wire.vectors_out(self.photos),
        }
        batches = [[list(one.members), wire.queries_out(one.queries)] for one in self.batches]
        told = {"members": batches, QUESTION: inner}
        return {"id": self.id, "release": self.release} | {k: orjson.dumps(v).decode() for k, v in told.items()}

    @classmethod
    def of(cls, told: Mapping[str, Any], n_items: int) -> "Question":
        """What `out` wrote.

        Raises:
            RequestError: it is not whole.
        """
        inner = loaded(told, QUESTION)
        try:
            users = inner["users"] and wire.states_in(inner["users"][1], n_items, list(map(str, inner["users"][0])))
            return cls(
                str(told["release"]),
                int(inner["as_of"]),
                parse_all(inner["instances"]),
                batches_of(told, n_items),
                users,
                bool(inner["lost"]),
                frozenset(map(str, inner["stale"])),
                wire.vectors_in(inner["texts"]),
                wire.vectors_in(inner["photos"]),
                str(told["id"]),
            )
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise RequestError("the question between two steps of the graph is not whole") from error


def batches_of(told: Mapping[str, Any], n_items: int) -> list[Batch]:
    """The batches of a question, which is all that a member's service reads of it."""
    found = loaded(told, "members")
    if not isinstance(found, list) or not all(isinstance(one, list) and len(one) == 2 for one in found):
        raise RequestError("found no batches of questions between two steps of the graph")
    return [Batch(wire.queries_in(queries, n_items), tuple(map(str, names))) for names, queries in found]


def loaded(told: Mapping[str, Any], name: str) -> Any:
    """The JSON inside of the text *name*."""
    try:
        return orjson.loads(told.get(name) or b"")
    except (orjson.JSONDecodeError, TypeError) as error:
        raise RequestError(f"found no {name!r} between two steps of the graph") from error


def ask(live: Live, instances: list[Instance]) -> Question:
    """What is asked of whom to answer *instances*, whose user ids are pseudonyms.

    Raises:
        RequestError: the release does not serve it.
    """
    question = Question(live.digest, live.as_of, instances)
    users, asked = NotedUsers(live.features), Asked(len(live.engine.catalogue))
    engine = with_members(live.engine, asked.scores_of)
    engine.shown = Shown()
    engine.encoder = _noting_texts(live.engine.encoder, question)
    engine.image_encoder = _noting_photos(live.engine.image_encoder, question)
    replace(live, engine=engine, features=users, clock=question.as_of).answer([*instances, *_beside(instances)])
    question.batches = asked.batches()
    question.users = wire.joined(list(users.found.values())) if users.found else None
    question.lost, question.stale = users.lost, frozenset(users.stale)
    return question


class Asked:
    """What was asked of members, who have nothing to say yet."""

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items
        self._asked: list[tuple[Queries, str]] = []

    def scores_of(self, name: str) -> ScoreAll:
        """How the member *name* scores: all alike, so that no question is given up for want of items."""

        def score(queries: Queries) -> Floats:
            self._asked.append((queries, name))
            return np.zeros((len(queries), self._n_items), dtype=np.float32)

        return score

    def batches(self) -> list[Batch]:
        """Every batch once, with all whom it was put to."""
        known = {id(queries): tuple(wire.keys(queries)) for queries, _ in self._asked}
        names: dict[tuple[bytes, ...], list[str]] = {}
        for queries, name in self._asked:
            names.setdefault(known[id(queries)], []).append(name)
        each = {known[id(queries)]: queries for queries, _ in self._asked}
        return [Batch(each[key], tuple(dict.fromkeys(by))) for key, by in names.items()]


def _beside(instances: Sequence[Instance]) -> list[Instance]:
    """What `ads` asks beside its organic question, once it knows which items were found."""
    return [
        Instance(scenario=RECOMMEND, user_id=one.user_id)
        for one in instances
        if one.scenario == ADS and one.query is not None
    ]


def standing_in(member: Member, score_all: ScoreAll) -> Member:
    """A copy of *member* that asks *score_all* instead of itself."""
    other = copy.copy(member)
    vars(other)["score_all"] = score_all
    return other


def with_members(engine: Engine, score_all: Callable[[str], ScoreAll]) -> Engine:
    """An engine over the same release whose members' scores come from elsewhere, by member."""
    other = copy.copy(engine)
    other.members = {name: standing_in(member, score_all(name)) for name, member in engine.members.items()}
    other.large = False  # whole rows are asked: a copy's own opinion would be formed here
    return other


def _noting_texts(encoder: TextEncoder | None, question: Question) -> TextEncoder | None:
    if encoder is None:
        return None

    def encode(texts: Sequence[str]) -> Floats:
        vectors = encoder.encode_queries(texts)
        question.texts |= dict(zip(texts, vectors, strict=True))
        return vectors

    other = copy.copy(encoder)
    vars(other)["encode_queries"] = encode
    return other


def _noting_photos(encoder: ImageEncoder | None, question: Question) -> ImageEncoder | None:
    if encoder is None:
        return None

    def encode(photos: Sequence[bytes | None]) -> Floats:
        vectors = encoder.encode_asked(photos)
        question.photos |= {name_of(one): row for one, row in zip(photos, vectors, strict=True) if one is not None}
        return vectors

    other = copy.copy(encoder)
    vars(other)["encode_asked"] = encode
    return other


def name_of(photo: bytes) -> str:
    """What a photo is called between two steps."""
    return sha256(photo).hexdigest()


class NotedUsers(Features):
    """The store's online features; what is read of the users that ask is kept."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self.found: dict[str, UserStates] = {}
        self.lost = False
        self.stale: set[str] = set()

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """What the store says; a failure is kept as well, and raised."""
        try:
            states = self._features.states(user_ids, as_of)
        except Exception:
            self.lost = True
            raise
        if states.stale is not None:
            self.stale |= {user for user, old in zip(user_ids, states.stale.tolist(), strict=True) if old}
        self.found |= {user: states.take(np.array([row])) for row, user in enumerate(user_ids)}
        return states
