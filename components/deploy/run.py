"""Deploy a release that has passed the gate: put it in the store, try it for real, and only then let it serve."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from components.common.errors import CuveeError
from components.common.files import read_json, write_json, write_text
from components.deploy.bucket import releases_address, upload
from components.deploy.inference_service import ServiceSettings, inference_service
from components.deploy.publish import add, champion, promote
from components.deploy.registry import register, registry_address
from components.deploy.trial import ask_v1, ask_v2, check, running_server
from serving.current import RELEASES
from serving.queries import RECOMMEND
from serving.release import MANIFEST_FILE, verify
from serving.smoke import SMOKE_FILE

NOBODY = "cuvee-smoke"  # a user that no shop has: the features are asked, and answer that nothing is known
Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
SERVICE_FILE, ANSWER_FILE, DEPLOYMENT_FILE = "inference_service.yaml", "answer.json", "deployment.json"


def deploy(
    release: Path, store: Path, out: Path, settings: ServiceSettings | None = None, source: str = ""
) -> dict[str, Any]:
    """Publish *release* into *store* after one real call per scenario against it.

    Where `CUVEE_RELEASES` names a bucket it goes there as well, and what is tried is what was fetched from there; where
    `CUVEE_MODEL_REGISTRY` names a registry, that knows of it before it serves.

    Args:
        release: a packaged release.
        store: where releases, `current` and the online features are.
        out: receives inference_service.yaml, answer.json, deployment.json and server.log.
        settings: what the cluster decides about the InferenceService.
        source: the artifact that the run keeps of the release, for the registry.

    Returns:
        What deployment.json holds: release, previous, start_s, calls.

    Raises:
        CuveeError: the candidate is damaged, does not start or does not answer well, or the registry does not take it;
            `current` is unchanged.
        ConfigError: there is a registry, and no bucket.
    """
    out.mkdir(parents=True, exist_ok=True)
    previous, bucket, registry = champion(store), releases_address(), registry_address()
    digest = add(release, store)
    candidate = store / RELEASES / digest
    served = upload(candidate, bucket) if bucket else candidate
    started = time.perf_counter()
    with running_server(served, store, out / "server.log") as url:
        start_s = round(time.perf_counter() - started, 2)
        calls = _try(url, candidate, digest)
    if registry and bucket:
        register(registry, verify(candidate), str(served), previous.name if previous else None, source)
    write_json(out / ANSWER_FILE, calls)
    service = inference_service(digest, settings or ServiceSettings.from_environment())
    write_text(out / SERVICE_FILE, yaml.safe_dump(service, sort_keys=False))
    promote(store, digest)
    deployment = {
        "release": digest,
        "previous": previous.name if previous else None,
        "start_s": start_s,
        "calls": [{name: call[name] for name in ("protocol", "scenario", "milliseconds")} for call in calls],
    }
    write_json(out / DEPLOYMENT_FILE, deployment)
    return deployment


def _try(url: str, candidate: Path, digest: str) -> list[dict[str, Any]]:
    """One V1 call per scenario of smoke.json and one V2 call, each checked."""
    smoke = read_json(candidate / SMOKE_FILE)["instances"]
    asked = list({instance["scenario"]: instance | {"explain": True} for instance in reversed(smoke)}.values())
    if read_json(candidate / MANIFEST_FILE)["as_of"] is not None:
        asked = [i | {"user_id": NOBODY} if i["scenario"] == RECOMMEND else i for i in asked]
    calls = [_call("v1", ask_v1, url, instance, digest) for instance in asked]
    return [*calls, _call("v2", ask_v2, url, asked[0], digest)]


def _call(protocol: str, ask: Ask, url: str, instance: dict[str, Any], digest: str) -> dict[str, Any]:
    scenario = instance["scenario"]
    started = time.perf_counter()
    prediction = ask(url, instance)
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    check(prediction, instance, digest)
    if prediction["degraded"]:
        raise CuveeError(
            f"{scenario}: answered without {', '.join(prediction['degraded'])}, expected a whole answer. "
            f"Materialize the online features into the store first; the server's log says more."
        )
    return {
        "protocol": protocol,
        "scenario": scenario,
        "milliseconds": milliseconds,
        "request": instance,
        "prediction": prediction,
    }
