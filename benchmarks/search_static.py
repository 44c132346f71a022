"""Queries encoded by a table, and by the network it was learned from: what is lost, and the time of a new search."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.yardstick import slower, yardstick_ms
from components.common.ranking import Doubles
from components.evaluate.bootstrap import paired
from serving.engine import Engine
from serving.instances import Instance
from serving.members.lexical import Lexical
from serving.queries import SEARCH

NETWORK, TABLE = "network", "table"
ROUNDS, K = 7, 10


def loss(table: Doubles, network: Doubles, seed: int) -> dict[str, float]:
    """Relative loss of *table* (q,) against *network* (q,), with its paired 95% interval; below 0: a gain."""
    found = paired(table, network, seed)
    if found is None or found.relative is None:
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    value, low, high = found.relative
    return {"value": -value, "low": -high, "high": -low}


def latency(engines: Mapping[str, Engine], texts: Sequence[str], rounds: int = ROUNDS) -> dict[str, Any]:
    """Milliseconds of a search that was never asked before, by engine: in all, of its encoder, and of the rest.

    Every round asks every text once of one engine, then of the next, on one thread; what engines remember of words is
    forgotten before each question.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    before = yardstick_ms()
    with threadpool_limits(1):
        for round_ in range(-1, rounds):  # the first is not counted: it makes what is made once
            for name, engine in engines.items():
                times = [_one(engine, text) for text in texts]
                taken[name] += times if round_ >= 0 else []
    yardstick = (before + yardstick_ms()) / 2
    found = {name: _told(np.array(times)) for name, times in taken.items()}
    return {"queries": len(texts), "rounds": rounds, "slower": slower(yardstick), "engines": found}


def _one(engine: Engine, text: str) -> tuple[float, float]:
    """Milliseconds of an answer, and of its query's encoding alone."""
    instance = Instance(scenario=SEARCH, query=text, k=K)
    meant = engine.glossary.meant(text) if engine.glossary is not None else text
    _forget(engine)
    started = time.perf_counter()
    engine.answer([instance], None, engine.as_of)
    answered = time.perf_counter()
    _forget(engine)
    again = time.perf_counter()
    if engine.encoder is not None:
        engine.encoder.encode_queries([meant])
    return (answered - started) * 1e3, (time.perf_counter() - again) * 1e3


def _forget(engine: Engine) -> None:
    if engine.encoder is not None:
        engine.encoder.forget()
    for member in engine.members.values():
        if isinstance(member, Lexical):
            member.vocabulary.forget()


def _told(times: Doubles) -> dict[str, float]:
    """By (questions, 2) milliseconds in all and of the encoder."""
    columns = {"all": times[:, 0], "encoder": times[:, 1], "rest": times[:, 0] - times[:, 1]}
    return {
        f"{name}_p{percent}_ms": float(np.percentile(column, percent))
        for name, column in columns.items()
        for percent in (50, 99)
    }
