"""The steps of the graph in this process, asked as KServe's router asks them: by URL, with JSON as bytes."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml
from kserve import Model
from kserve_router import Call

from infra.checks.render import INFRA
from serving.graph.models import asking, combining, echo, scoring
from serving.graph.parts import Part
from serving.instances import RequestError
from serving.live import Live

PARTS = ("popularity", "cf", "deep", "text", "rules")


def graph() -> dict[str, Any]:
    """The manifest."""
    told: dict[str, Any] = yaml.safe_load((INFRA / "graph" / "graph.yaml").read_text(encoding="utf-8"))
    return told


def steps_here(live: Live, release: Path, key: bytes, down: Mapping[str, Any] | None = None) -> Call:
    """Post to the models of *live*'s release; a part named in *down* answers that instead, as its guard would."""
    models = {"ask": asking(live, key), "question": echo(), "combine": combining(live)}
    parts = {f"guard-{name}": scoring(Part.load(release, name)) for name in PARTS}

    def call(url: str, body: bytes) -> tuple[int, bytes]:
        name = url.rpartition("/")[2].removesuffix(":predict")
        part = name.removeprefix("guard-")
        if down is not None and part in down:
            told = orjson.loads(body)
            return 200, orjson.dumps({"id": told["id"], "release": told["release"]} | down[part])
        return posted((models | parts)[name], body)

    return call


def posted(step: Model, body: bytes) -> tuple[int, bytes]:
    """What the server would answer."""
    try:
        return 200, orjson.dumps(asyncio.run(step.predict(orjson.loads(body))))
    except RequestError as error:
        return 400, orjson.dumps({"error": str(error)})
