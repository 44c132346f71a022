"""The pods that controllers would make of the objects, as plain Pods: nothing inside a custom resource stays unseen."""

from collections.abc import Callable, Iterator
from typing import Any

from infra.checks.render import Object, label, of_kind

Part = dict[str, Any]
OF_KSERVE = {
    "minReplicas", "maxReplicas", "scaleMetric", "scaleMetricType", "scaleTarget", "autoScaling", "timeout", "batcher",
    "logger", "canaryTrafficPercent", "containerConcurrency", "deploymentStrategy", "labels", "annotations", "model",
    "name",
}  # fmt: skip
OF_MODEL = {"modelFormat", "protocolVersion", "runtime", "runtimeVersion", "storage", "storageUri"}
RUNTIMES = ("ServingRuntime", "TrainingRuntime")
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def pods(objects: list[Object]) -> list[Object]:
    """A Pod per template, named after the object that it comes from.

    Args:
        objects: one rendered overlay; services find their runtimes in it.
    """
    found = []
    for one in objects:
        for place, spec, metadata in PLACES.get(str(one["kind"]), _none)(one, objects):
            name = "-".join(part for part in (one["metadata"]["name"], place) if part)
            found.append(_pod(one, name, spec, metadata))
    return found


def unseen(objects: list[Object]) -> list[str]:
    """Objects that hold containers where `pods` does not look, and runtimes that no service uses."""
    said = [
        f"{label(one)}: holds containers, and nobody has said how it becomes a pod (infra/checks/pods.py)"
        for one in objects
        if one["kind"] not in {*PLACES, *RUNTIMES} and _holds_containers(one)
    ]
    used = {_runtime_name(predictor) for one in of_kind(objects, "InferenceService") for _, predictor in _parts(one)}
    used |= {one["spec"].get("runtimeRef", {}).get("name") for one in of_kind(objects, "TrainJob")}
    runtimes = [one for one in of_kind(objects, *RUNTIMES) if one["metadata"]["name"] not in used]
    return said + [f"{label(one)}: nothing here uses it, so its pods are not checked" for one in runtimes]


def _pod(one: Object, name: str, spec: Part, metadata: Part) -> Object:
    labels = metadata.get("labels", {})
    place = {"name": name, "namespace": one["metadata"].get("namespace", "default"), "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": place, "spec": spec}


def _holds_containers(value: Any) -> bool:
    if isinstance(value, list):
        return any(_holds_containers(part) for part in value)
    if not isinstance(value, dict):
        return False
    return any(isinstance(value.get(name), list) for name in CONTAINERS) or any(map(_holds_containers, value.values()))


Template = tuple[str, Part, Part]


def _none(_one: Object, _objects: list[Object]) -> Iterator[Template]:
    return iter(())


def _bare(one: Object, _objects: list[Object]) -> Iterator[Template]:
    yield "", one["spec"], one["metadata"]


def _workload(one: Object, _objects: list[Object]) -> Iterator[Template]:
    template = one["spec"]["template"]
    yield "", template["spec"], template.get("metadata", {})


def _cron(one: Object, _objects: list[Object]) -> Iterator[Template]:
    template = one["spec"]["jobTemplate"]["spec"]["template"]
    yield "", template["spec"], template.get("metadata", {})


def _experiment(one: Object, _objects: list[Object]) -> Iterator[Template]:
    template = one["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
    yield "trial", template["spec"], template.get("metadata", {})


def _ray(one: Object, _objects: list[Object]) -> Iterator[Template]:
    if "submitterPodTemplate" in one["spec"]:
        template = one["spec"]["submitterPodTemplate"]
        yield "submitter", template["spec"], template.get("metadata", {})
    cluster = one["spec"].get("rayClusterSpec", one["spec"])
    groups = [("head", cluster["headGroupSpec"])]
    groups += [(group["groupName"], group) for group in cluster.get("workerGroupSpecs", [])]
    for name, group in groups:
        yield name, group["template"]["spec"], group["template"].get("metadata", {})


def _train_job(one: Object, objects: list[Object]) -> Iterator[Template]:
    """The runtime's templates, with the job's own trainer over the container `node`."""
    wanted = one["spec"].get("runtimeRef", {}).get("name")
    asked = one["spec"].get("trainer", {})
    resources = {"resources": asked["resourcesPerNode"]} if "resourcesPerNode" in asked else {}
    over = {name: asked[name] for name in ("image", "command", "args", "env") if name in asked} | resources
    for runtime in of_kind(objects, "TrainingRuntime", "ClusterTrainingRuntime"):
        if runtime["metadata"]["name"] != wanted:
            continue
        for job in runtime["spec"]["template"]["spec"]["replicatedJobs"]:
            template = job["template"]["spec"]["template"]
            spec = template["spec"]
            containers = [each | over if each["name"] == "node" else each for each in spec["containers"]]
            yield job["name"], spec | {"containers": containers}, template.get("metadata", {})


def _service(one: Object, objects: list[Object]) -> Iterator[Template]:
    """Predictor and canaries with their runtime; a canary takes from the predictor what it does not say."""
    labels = one["metadata"].get("labels", {}) | {"serving.kserve.io/inferenceservice": one["metadata"]["name"]}
    for place, predictor in _parts(one):
        spec = {name: value for name, value in predictor.items() if name not in OF_KSERVE}
        runtime = next((each for each in of_kind(objects, "ServingRuntime") if _serves(each, predictor)), None)
        if runtime is not None:
            spec = _merged(runtime["spec"], spec, predictor["model"])
        yield place, spec, {"labels": labels}


def _parts(one: Object) -> Iterator[tuple[str, Part]]:
    stable = one["spec"]["predictor"]
    yield "predictor", stable
    for canary in one["spec"].get("canary", []):
        yield canary["predictor"]["name"], stable | canary["predictor"]


def _runtime_name(predictor: Part) -> str | None:
    name: str | None = predictor.get("model", {}).get("runtime")
    return name


def _serves(runtime: Object, predictor: Part) -> bool:
    return bool(runtime["metadata"]["name"] == _runtime_name(predictor))


def _merged(runtime: Part, spec: Part, model: Part) -> Part:
    over = {name: value for name, value in model.items() if name not in OF_MODEL | {"name"}}
    first, *others = runtime["containers"]
    over |= (
        {"args": [*first.get("args", []), *over["args"]]} if "args" in over else {}
    )  # KServe adds a service's to them
    return spec | {
        "containers": [first | over, *others],
        "volumes": [*runtime.get("volumes", []), *spec.get("volumes", [])],
    }


PLACES: dict[str, Callable[[Object, list[Object]], Iterator[Template]]] = {
    "Pod": _bare,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "CronJob": _cron,
    "InferenceService": _service,
    "TrainJob": _train_job,
    "Experiment": _experiment,
    "RayCluster": _ray,
    "RayJob": _ray,
}
