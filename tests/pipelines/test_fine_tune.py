"""The fine-tuning pipeline on this machine: in the step, and as a job of Kubeflow's SDK in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_bert import make_bert

from pipelines.run import follow
from serving.encoder import TextEncoder

SETTINGS = {"batch_size": 8, "learning_rate": 1e-3, "max_tokens": 16}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bazaar") / "shop"
    sizes = ["--users", "60", "--items", "72", "--no-media"]
    subprocess.run([sys.executable, "-m", "pipelines.cli", "bazaar", *sizes, "--out", str(folder)], check=True)
    return folder


@pytest.mark.parametrize("nodes", [0, 1])
def test_an_encoder_goes_to_the_store(shop: Path, tmp_path: Path, nodes: int) -> None:
    arguments = {
        "data": str(shop), "store": str(tmp_path / "store"), "name": "own", "nodes": nodes,
        "source": str(make_bert(tmp_path / "bert")), "settings": json.dumps(SETTINGS),
    }  # fmt: skip
    watcher, code = follow("fine_tune", tmp_path / "out", arguments)
    assert (code, watcher.failure) == (0, None), (tmp_path / "out" / "run.log").read_text()[-3000:]
    (page,) = (tmp_path / "out" / "pipeline").glob("fine-tune-*/fine-tune/page")
    assert ("by a TrainJob over 1 nodes" if nodes else "in the step itself") in page.read_text()
    assert TextEncoder.load(tmp_path / "store" / "encoders" / "own", 1).encode(["a lamp"]).shape == (1, 32)
