"""The built image of the pipelines' steps, given what Kubeflow gives a step: the compiled command and its inputs."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from shops import write_small_shop

from components.common.errors import CuveeError
from components.common.image import PIPELINE_IMAGE
from infra.images.contents import LIMITS, contents, podman

ROOT = Path(__file__).parents[3]
COMPILED = ROOT / "pipelines" / "compiled" / "train_and_deploy.yaml"
CHAIN = ("ingest", "validate", "prepare", "encode", "train-deep", "train-text")  # TensorFlow and torch among them
PINNED_BY_PIP = "torch"  # requirements/torch.txt brings what it needs with it
HERE = "/shop"  # where the container sees the folder that takes the place of volume and object store
WITH_RAY = f"{PIPELINE_IMAGE}-ray"
TWO_WORKERS = """
import os, sys, time
from components.common.local_ray import connected
ray = connected(2)
def who():
    time.sleep(1)
    return f"{os.getuid()} {os.getpid()}"
told = ray.get([ray.remote(who).remote() for _ in range(4)])
users = {one.split()[0] for one in told}
sys.stdout.write(f"{len(set(told))} workers of user {users}")
"""
SAFE = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none", *LIMITS)

pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif(
        shutil.which("podman") is None and "CUVEE_REQUIRE_ALL" not in os.environ, reason="podman is not installed"
    ),
]


@pytest.fixture(scope="module")
def image() -> str:
    try:
        podman("image", "inspect", PIPELINE_IMAGE)
    except CuveeError as error:
        pytest.skip(f"{PIPELINE_IMAGE} is not built; make image-pipeline ({error})")
    return PIPELINE_IMAGE


class Steps:
    """Runs steps of the compiled pipeline one after another; an artifact is found by the name its maker gave it."""

    def __init__(self, image: str, folder: Path, given: dict[str, Any]) -> None:
        self.spec = next(iter(yaml.safe_load_all(COMPILED.read_text())))
        self.image, self.folder, self.given = image, folder, given
        self.made: dict[str, Any] = {}

    def run(self, step: str) -> dict[str, Any]:
        """The step's own account of what it made."""
        container = self.spec["deploymentSpec"]["executors"][f"exec-{step}"]["container"]
        told = json.dumps(self.inputs(step))
        arguments = [told if one == "{{$}}" else one for one in container["args"]]
        assert container["image"] == self.image
        shop = f"{self.folder}:{HERE}"
        options = [*SAFE, "--tmpfs", "/tmp:size=512m,mode=1777", "--volume", shop, "--env", f"CUVEE_ID_KEY={'ab' * 32}"]
        podman("run", "--rm", *options, self.image, *container["command"], *arguments)
        account: dict[str, Any] = json.loads((self.folder / step / "executor_output.json").read_text())
        made: dict[str, Any] = account["artifacts"]
        return made

    def inputs(self, step: str) -> dict[str, Any]:
        """What Kubeflow's launcher would hand to the step."""
        about = self.spec["components"][f"comp-{step}"]
        known = about.get("inputDefinitions", {})
        parameters = {name: self.given[name] for name in known.get("parameters", {})}
        artifacts = {name: self.made[name] for name in known.get("artifacts", {})}
        out = {}
        for name, one in about["outputDefinitions"]["artifacts"].items():
            made = {"name": name, "type": one["artifactType"], "uri": f"{HERE}/{step}/{name}", "metadata": {}}
            out[name] = {"artifacts": [made]}
        self.made |= out
        return {
            "inputs": {"parameterValues": parameters, "artifacts": artifacts},
            "outputs": {"artifacts": out, "outputFile": f"{HERE}/{step}/executor_output.json"},
        }


def test_steps_run_in_it_as_user_10001_on_a_read_only_root(image: str, tmp_path: Path) -> None:
    write_small_shop(tmp_path / "tables", households=60, products=120)
    for folder in (tmp_path, *tmp_path.rglob("*")):
        folder.chmod(0o777)
    given = {"source": f"{HERE}/tables", "store": f"{HERE}/store", "config": "", "settings": "", "protocol": "temporal",
             "effort": "fast", "seed": 0, "encoder": "minilm-int8", "image_encoder": "auto"}  # fmt: skip
    steps = Steps(image, tmp_path, given)
    for step in CHAIN:
        assert steps.run(step)
        page = tmp_path / step / ("data_docs" if step == "validate" else "page")
        assert page.stat().st_size > 0
        assert page.stat().st_uid == 10001
    assert (tmp_path / "train-deep" / "members" / "final" / "sequence" / "user.onnx").exists()
    assert (tmp_path / "train-text" / "members" / "final" / "text" / "projection.npy").exists()


def test_the_variant_with_ray_has_two_workers_of_user_10001_on_a_read_only_root() -> None:
    try:
        podman("image", "inspect", WITH_RAY)
    except CuveeError as error:
        pytest.skip(f"{WITH_RAY} is not built; make image-pipeline VARIANT=ray ({error})")
    scratch = ["--tmpfs", "/tmp:size=1g,mode=1777", "--shm-size", "512m"]
    assert podman("run", "--rm", *SAFE, *scratch, WITH_RAY, "python", "-c", TWO_WORKERS) == (
        "2 workers of user {'10001'}"
    )


def test_it_holds_the_locks(image: str) -> None:
    held = {(re.sub("[-_.]+", "-", name), version) for name, version, _, _ in contents(image).python}
    lines = [line for file in ("pipeline-cpu", "models") for line in
             (ROOT / "requirements" / f"{file}.txt").read_text().splitlines()]  # fmt: skip
    pinned = [line.partition(";")[0].strip() for line in lines if "==" in line]
    locked = {(re.sub("[-_.]+", "-", name).lower(), version) for name, version in (one.split("==") for one in pinned)}
    assert locked <= held
    assert PINNED_BY_PIP in {name for name, _ in held}
    assert not {name for name, _ in held} & {"pip", "pytest"}
