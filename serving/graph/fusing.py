"""The last step of the graph: the engine answers, with the scores that members have sent for the question."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from serving.arrays import Floats
from serving.encoder import TextEncoder
from serving.engine import Engine
from serving.features import HistoricalStates
from serving.graph import wire
from serving.graph.question import QUESTION, Question, ScoreAll, loaded, name_of, with_members
from serving.image_encoder import ImageEncoder
from serving.instances import RequestError, parse_all
from serving.live import Features, Live
from serving.members.base import NotScoredError
from serving.queries import Queries
from serving.states import UserStates

log = logging.getLogger(__name__)
Rows = dict[tuple[str, bytes], Floats]
OTHER_RELEASE = "graph"  # in `degraded`: the steps were on different releases, so that members could not be heard


def fuse(live: Live, gathered: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer the question from what the parts of the graph have said.

    A part that is late, down, of another release or not whole counts as not scored: the engine goes on without its
    members and says so. Where the question itself is of another release, this one answers on its own.

    Args:
        live: the release that answers.
        gathered: by step, what an Ensemble gives: `question`, and one answer for each part.

    Raises:
        RequestError: there is no question in it, or it is not whole.
    """
    told = gathered.get(QUESTION)
    if not isinstance(told, Mapping):
        raise RequestError(f"found no step '{QUESTION}' among what the graph gathered")
    if told.get("release") != live.digest:
        log.warning("asked of release %s, this is %s; answering alone", told.get("release"), live.digest)
        answers = live.answer(parse_all(loaded(told, QUESTION).get("instances")))
        return [one | {"degraded": [OTHER_RELEASE, *one["degraded"]]} for one in answers]
    question = Question.of(told, len(live.engine.catalogue))
    heard = Heard.of(question, gathered, live.engine)
    engine = with_members(live.engine, heard.scores_of)
    engine.encoder = _given_texts(live.engine.encoder, question)
    engine.image_encoder = _given_photos(live.engine.image_encoder, question)
    users = GivenUsers(question, live.features)
    return replace(live, engine=engine, features=users, clock=question.as_of).answer(question.instances)


class Heard:
    """What members said, by member and question."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @classmethod
    def of(cls, question: Question, parts: Mapping[str, Any], engine: Engine) -> "Heard":
        """Put what the parts said beside the batches of the question; whatever does not fit is left out."""
        rows: Rows = {}
        for name, part in parts.items():
            if name == QUESTION:
                continue
            try:
                _listen(rows, question, part, len(engine.catalogue))
            except RequestError as error:
                log.error("part %s of the graph: %s", name, error)
        return cls(rows)

    def scores_of(self, name: str) -> ScoreAll:
        """How the member *name* scores: by what it said."""

        def score(queries: Queries) -> Floats:
            rows = [self._rows.get((name, key)) for key in wire.keys(queries)]
            found = [row for row in rows if row is not None]
            if len(found) < len(rows):
                raise NotScoredError(name)
            return np.stack(found)

        return score


def _listen(rows: Rows, question: Question, part: object, n_items: int) -> None:
    """Add to *rows* what one part says.

    Raises:
        RequestError: it answers another question, is of another release, or not whole.
    """
    if not isinstance(part, Mapping) or (part.get("id"), part.get("release")) != (question.id, question.release):
        raise RequestError("it answers another question, or from another release")
    if "scores" not in part:
        return  # not scored
    told = loaded(part, "scores")
    if not isinstance(told, list) or len(told) != len(question.batches):
        raise RequestError("it does not answer every batch")
    for batch, said in zip(question.batches, told, strict=True):
        keys = wire.keys(batch.queries)
        for name, text in said.items() if isinstance(said, dict) else ():
            scores = wire.unpacked(text, np.float32, 2)
            if scores.shape != (len(keys), n_items):
                raise RequestError(f"found scores of shape {scores.shape}, expected {(len(keys), n_items)}")
            rows |= {(str(name), key): row for key, row in zip(keys, scores, strict=True)}


class GivenUsers(Features):
    """Users as the question brings them; of those it does not name, the store is asked."""

    def __init__(self, question: Question, features: Features) -> None:
        self._lost, self._stale, self._features = question.lost, question.stale, features
        self._given = None if question.users is None else HistoricalStates(question.users)

    def states(self, user_ids: Sequence[str], as_of: int | None) -> UserStates:
        """What was read of the users when they asked."""
        if self._given is not None and set(user_ids) <= set(self._given.user_ids):
            given = self._given.states(user_ids, as_of)
            stale = np.array([user in self._stale for user in user_ids])
            return replace(given, stale=stale) if stale.any() else given
        if self._lost:
            raise ConnectionError("the users could not be read when the question was asked")
        return self._features.states(user_ids, as_of)


def _given_texts(encoder: TextEncoder | None, question: Question) -> TextEncoder | None:
    """The encoder, with the vectors of the question's texts at hand."""
    if encoder is None:
        return None

    def encode(texts: Sequence[str]) -> Floats:
        if not all(text in question.texts for text in texts):
            return encoder.encode_queries(texts)
        return np.stack([question.texts[text] for text in texts])

    other = copy.copy(encoder)
    vars(other)["encode_queries"] = encode
    return other


def _given_photos(encoder: ImageEncoder | None, question: Question) -> ImageEncoder | None:
    """The same for photos."""
    if encoder is None:
        return None

    def encode(photos: Sequence[bytes | None]) -> Floats:
        names = [None if photo is None else name_of(photo) for photo in photos]
        if not all(name in question.photos for name in names if name is not None):
            return encoder.encode_asked(photos)
        blank = np.full(encoder.spec.dims, np.nan, dtype=np.float32)
        return np.stack([blank if name is None else question.photos[name] for name in names])

    other = copy.copy(encoder)
    vars(other)["encode_asked"] = encode
    return other
