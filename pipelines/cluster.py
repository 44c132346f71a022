"""Where every step runs on a cluster and with what: resources, GPU nodes, volumes, secrets, tries.

The pipelines say what depends on what; `placed` compiles the same pipeline with this added to each of its steps.
"""

import functools
import re
from collections.abc import Callable
from typing import Any, Literal

from kfp import dsl, kubernetes
from kfp.dsl.pipeline_context import Pipeline
from pydantic import Field

from components.common.config import Config
from components.common.image import PIPELINE_IMAGE

TRAINING = {"train-deep", "train-cf", "train-text", "tune-members", "fine-tune"}
"""Steps that train with TensorFlow or PyTorch: on GPU nodes where there are any."""
HEAVY = TRAINING | {"encode", "fuse", "evaluate", "tune-fusion", "recommend"}
SIDE_EFFECTS = {"materialize-online", "deploy"}
"""Steps that change what is online: tried once, never taken from a cache."""
OUTSIDE = SIDE_EFFECTS | {"ingest", "evaluate", "states-of-everyone", "recommend", "report-ending", "fine-tune"}
"""Steps whose answer depends on more than their inputs: the shop's tables, the release that serves now."""
WITH_FILES = OUTSIDE | {"encode", "tune-members", "tune-fusion"}
"""Steps that read the shop's files or the store."""
WITH_KEY = {"ingest", "deploy"}
"""Steps that turn user ids into pseudonyms."""
WITH_FEATURES = {"materialize-online", "deploy", "states-of-everyone"}
"""Steps that open the shop's feature store."""
UID = 10001  # infra/images


class Toleration(Config):
    """A taint that a step may be scheduled on."""

    key: str = Field(description="the taint's key")
    operator: Literal["Equal", "Exists"] = "Exists"
    value: str | None = Field(default=None, description="with operator Equal")
    effect: Literal["NoExecute", "NoSchedule", "PreferNoSchedule"] = "NoSchedule"


class Need(Config):
    """What a step asks of its node; there is no CPU limit, which would only make it wait."""

    cpu: str = Field(description="request")
    memory: str = Field(description="request")
    memory_limit: str = Field(description="limit")


class Cluster(Config):
    """What a cluster decides about the pipelines."""

    gpu: bool = Field(default=False, description="training steps on GPU nodes")
    gpu_image: str = Field(default=f"{PIPELINE_IMAGE}-gpu", description="image of the training steps there")
    accelerator: str = Field(default="nvidia.com/gpu", description="resource that a GPU is")
    accelerators: int = Field(default=1, ge=1, description="GPUs of one step")
    node_selector: dict[str, str] = Field(
        default={"nvidia.com/gpu.present": "true"}, description="labels of the GPU nodes"
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(Toleration(key="nvidia.com/gpu"),), description="taints of the GPU nodes"
    )
    light: Need = Field(default=Need(cpu="1", memory="2Gi", memory_limit="4Gi"), description="most steps")
    heavy: Need = Field(default=Need(cpu="2", memory="4Gi", memory_limit="8Gi"), description="training, fuse, evaluate")
    tries: int = Field(default=2, ge=0, description="further tries of a step that only computes")
    store_claim: str = Field(default="cuvee-store", description="volume claim with the store and the shop's files")
    store_path: str = Field(default="/store", description="where steps see it")
    key_secret: str = Field(default="cuvee-id-key", description="secret whose key `key` is CUVEE_ID_KEY")
    feature_store: str = Field(
        default="",
        description="CUVEE_FEATURE_STORE: `cluster`, `cluster-ray` or a file's path; empty: the store's folder",
    )
    features_secret: str = Field(
        default="cuvee-features", description="secret whose keys `redis` and `registry` are CUVEE_REDIS, CUVEE_REGISTRY"
    )
    releases: str = Field(default="", description="CUVEE_RELEASES: s3://bucket/path; empty: releases stay in the store")
    releases_endpoint: str = Field(default="", description="AWS_ENDPOINT_URL of that S3; empty: Amazon's")
    releases_secret: str = Field(
        default="cuvee-object-store", description="secret whose keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )
    model_registry: str = Field(
        default="", description="CUVEE_MODEL_REGISTRY: http(s)://host:port, beside `releases`; empty: none"
    )
    signing_secret: str = Field(
        default="",
        description="secret whose key `key` is CUVEE_SIGNING_KEY, for deploy alone; empty: releases are not signed",
    )
    queue: str = Field(default="", description="Kueue's queue for training steps; empty: none")


def placed(pipeline: Any, cluster: Cluster) -> Any:
    """*pipeline* (a kfp pipeline) with every step placed as *cluster* says."""
    function: Callable[..., Any] = pipeline.pipeline_func

    @functools.wraps(function)
    def inner(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        for task in Pipeline.get_default_pipeline().tasks.values():
            place(task, cluster)
        return result

    return dsl.pipeline(name=pipeline.name, description=pipeline.description)(inner)


def place(task: Any, cluster: Cluster) -> None:
    """Say of one step (a kfp task) what it needs, how often it is tried, what it may see."""
    step = re.sub(r"-\d+$", "", task.name)
    need = cluster.heavy if step in HEAVY else cluster.light
    task.set_cpu_request(need.cpu).set_memory_request(need.memory).set_memory_limit(need.memory_limit)
    if step not in SIDE_EFFECTS and cluster.tries:
        task.set_retry(cluster.tries, backoff_duration="30s", backoff_factor=2.0, backoff_max_duration="600s")
    if step in OUTSIDE:
        task.set_caching_options(False)
    kubernetes.set_security_context(task, run_as_user=UID, run_as_group=UID, run_as_non_root=True)
    if step in WITH_FILES:
        kubernetes.mount_pvc(task, pvc_name=cluster.store_claim, mount_path=cluster.store_path)
    if step in WITH_KEY:
        kubernetes.use_secret_as_env(task, secret_name=cluster.key_secret, secret_key_to_env={"key": "CUVEE_ID_KEY"})
    if cluster.feature_store and step in WITH_FEATURES | {"materialize"}:
        task.set_env_variable("CUVEE_FEATURE_STORE", cluster.feature_store)
    if cluster.feature_store and step in WITH_FEATURES:
        keys = {"redis": "CUVEE_REDIS", "registry": "CUVEE_REGISTRY"}
        kubernetes.use_secret_as_env(task, secret_name=cluster.features_secret, secret_key_to_env=keys)
        task.set_env_variable("CUVEE_FEATURES_SECRET", cluster.features_secret)
    if cluster.releases and step == "deploy":
        _publish_to(task, cluster)
    if step == "deploy" and cluster.signing_secret:
        signing = {"key": "CUVEE_SIGNING_KEY"}
        kubernetes.use_secret_as_env(task, secret_name=cluster.signing_secret, secret_key_to_env=signing)
    if step in TRAINING:
        _train_on(task, cluster)


def _publish_to(task: Any, cluster: Cluster) -> None:
    task.set_env_variable("CUVEE_RELEASES", cluster.releases)
    if cluster.model_registry:
        task.set_env_variable("CUVEE_MODEL_REGISTRY", cluster.model_registry)
    if cluster.releases_endpoint:
        task.set_env_variable("AWS_ENDPOINT_URL", cluster.releases_endpoint)
    keys = {name: name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    kubernetes.use_secret_as_env(task, secret_name=cluster.releases_secret, secret_key_to_env=keys)


def _train_on(task: Any, cluster: Cluster) -> None:
    if cluster.queue:
        kubernetes.add_pod_label(task, "kueue.x-k8s.io/queue-name", cluster.queue)
    if not cluster.gpu:
        return
    task.set_container_image(cluster.gpu_image)
    task.set_accelerator_type(cluster.accelerator).set_accelerator_limit(cluster.accelerators)
    for key, value in sorted(cluster.node_selector.items()):
        kubernetes.add_node_selector(task, key, value)
    for one in cluster.tolerations:
        kubernetes.add_toleration(task, key=one.key, operator=one.operator, value=one.value, effect=one.effect)
