"""The fine-tuning of a TrainJob: two gloo processes take the steps of one, and end with its loss and its model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_bert import CONFIG, SYNONYMS, make_bert, planted

from components.common.errors import ConfigError
from components.train_text.bert import load_bert
from components.train_text.fine_tune import Texts, tune
from components.train_text.together import Group, together

EPOCHS = 3
PROCESS = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from torch import distributed
from small_bert import CONFIG, planted
from components.train_text.fine_tune import Texts, tune
from components.train_text.together import together
from safetensors.torch import save_file

folder, rank = Path(sys.argv[1]), int(sys.argv[2])
distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
config = CONFIG.model_copy(update={"epochs": int(sys.argv[3])})
with together() as group:
    tuned, model = tune(planted(0), 0, group, str(folder / "bert"), config)
save_file(model.state_dict(), folder / f"{rank}.safetensors")
(folder / f"{rank}.json").write_text(json.dumps(asdict(tuned)))
distributed.destroy_process_group()
"""


def run_two(folder: Path) -> list[dict[str, Any]]:
    """What each of two processes says of the training that they did together."""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    env = os.environ | {"PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROCESS, str(folder)]
    running = [subprocess.Popen([*command, str(rank), str(EPOCHS)], env=env) for rank in (0, 1)]
    assert [one.wait(300) for one in running] == [0, 0]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    source = str(make_bert(tmp_path / "bert"))
    config = CONFIG.model_copy(update={"epochs": EPOCHS})
    alone, model = tune(planted(0), 0, Group(), source, config)
    untouched, _ = tune(planted(0), 0, Group(), source, config.model_copy(update={"epochs": 1, "learning_rate": 1e-9}))
    first, second = run_two(tmp_path)
    assert first == second, "the processes went apart"
    assert first["loss"] == pytest.approx(alone.loss, rel=1e-4)
    assert first["loss"] < 0.9 * untouched.loss, "nothing was learned"
    assert first["after"] == pytest.approx(alone.after, abs=1e-9)
    own, texts = load_bert(source), Texts(Path(source), config.max_tokens)
    own.load_state_dict(load_file(tmp_path / "0.safetensors"))
    with torch.no_grad():
        one, two = (texts.vectors(each.eval(), [text for text, _ in SYNONYMS]) for each in (own, model))
    assert float((one - two).abs().max()) < 1e-3


def test_a_group_shares_a_batch_and_alone_nothing_changes() -> None:
    assert [list(Group(rank, 2).share([1, 2, 3, 4])) for rank in (0, 1)] == [[1, 2], [3, 4]]
    with pytest.raises(ConfigError, match="batch of 3"):
        Group(0, 2).share([1, 2, 3])
    model, rows = torch.nn.Linear(2, 2), torch.ones(2, 2)
    with together() as group:
        assert group == Group()
        assert group.wrapped(model) is model
        assert group.gathered(rows) is rows
