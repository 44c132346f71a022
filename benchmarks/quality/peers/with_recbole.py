"""Peers of RecBole: BPR, LightGCN and SASRec, trained for a fixed number of epochs that a CPU can bear."""

import contextlib
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.peers.base import Fitted, Params, Peer, Space
from benchmarks.quality.peers.problem import Labelled, Problem, Visits
from serving.arrays import Floats, Longs

NAME, LENGTH = "case", 50  # of RecBole's data set; of the sequences
NEGATIVES = {"distribution": "uniform", "sample_num": 1, "alpha": 1.0, "dynamic": False, "candidate_num": 0}
SEQUENTIAL = ("SASRec",)
BATCH = {"BPR": 4096, "LightGCN": 8192, "SASRec": 512}


def recbole(problem: Problem, params: Params, _: Labelled, model: str) -> Fitted:
    """Train one of RecBole's models on all of the training data, and rank with its own full scores."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        _write(problem.train, Path(folder) / NAME, repeats=model in SEQUENTIAL)
        config = Config(model=model, dataset=NAME, config_dict=_config(problem, params, model, folder))
        init_seed(problem.seed, True)
        dataset = create_dataset(config)
        train = data_preparation(config, dataset)[0]
        network = get_model(model)(config, train.dataset)
        get_trainer(config["MODEL_TYPE"], model)(config, network).fit(train, saved=False, verbose=False)
    network.eval()
    asked = _sequences(problem, dataset) if model in SEQUENTIAL else _users(problem, dataset)
    known = dataset.field2id_token["item_id"][1:].astype(np.int64)
    size = sum(weights.numel() for weights in network.parameters())
    return Fitted(lambda rows: _scores(network, {k: v[rows] for k, v in asked.items()}, known, problem.n_items), size)


def _config(problem: Problem, params: Params, model: str, folder: str) -> dict[str, Any]:
    own = {"n_layers": params["layers"]} if "layers" in params else {}
    return own | {
        "data_path": folder,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "eval_args": {"split": {"RS": [1, 0, 0]}, "order": "TO", "group_by": "user", "mode": "full"},
        "train_neg_sample_args": None if model in SEQUENTIAL else NEGATIVES,
        "MAX_ITEM_LIST_LENGTH": LENGTH,
        "train_batch_size": BATCH[model],
        "embedding_size": params["embedding_size"],
        "hidden_size": params["embedding_size"],
        "learning_rate": params["learning_rate"],
        "epochs": params["epochs"],
        "seed": problem.seed,
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
    }


def _write(visits: Visits, folder: Path, repeats: bool) -> None:
    """RecBole's atomic file; time is the order of the rows."""
    table = pd.DataFrame({"user_id:token": visits.users, "item_id:token": visits.items, "at": visits.at})
    table = table.sort_values("at", kind="stable")
    if not repeats:
        table = table.drop_duplicates(["user_id:token", "item_id:token"], keep="last")
    folder.mkdir()
    table = table.drop(columns="at").assign(**{"timestamp:float": np.arange(len(table))})
    table.to_csv(folder / f"{NAME}.inter", sep="\t", index=False)


def _codes(dataset: Any, field: str, size: int) -> Longs:
    """(size,) RecBole's number of each of our codes; 0 = unknown, its padding."""
    tokens = dataset.field2id_token[field][1:].astype(np.int64)
    codes = np.zeros(size, dtype=np.int64)
    codes[tokens] = np.arange(1, len(tokens) + 1)
    return codes


def _users(problem: Problem, dataset: Any) -> dict[str, Longs]:
    return {"user_id": _codes(dataset, "user_id", problem.n_users)[problem.asked]}


def _sequences(problem: Problem, dataset: Any) -> dict[str, Longs]:
    """The last items of each asked user's history, as RecBole's sequence models want them."""
    items = _codes(dataset, "item_id", problem.n_items)
    history = problem.history
    order = np.lexsort((history.at, history.users))
    users, codes = history.users[order], items[history.items[order]]
    users, codes = users[codes > 0], codes[codes > 0]
    listed = np.zeros((len(problem), LENGTH), dtype=np.int64)
    length = np.ones(len(problem), dtype=np.int64)
    start, stop = np.searchsorted(users, problem.asked), np.searchsorted(users, problem.asked, side="right")
    for row, (first, last) in enumerate(zip(start, stop, strict=True)):
        own = codes[max(first, last - LENGTH) : last]
        listed[row, : len(own)] = own
        length[row] = max(len(own), 1)
    return {"item_id_list": listed, "item_length": length}


def _scores(network: Any, asked: dict[str, Longs], known: Longs, n_items: int) -> Floats:
    """(b, n_items) with NaN for items never trained on, and for users never met."""
    import torch
    from recbole.data.interaction import Interaction

    with torch.no_grad():
        question = Interaction({name: torch.from_numpy(values) for name, values in asked.items()})
        found = network.full_sort_predict(question).reshape(len(next(iter(asked.values()))), -1).numpy()
    scores = np.full((len(found), n_items), np.nan, np.float32)
    scores[:, known] = found[:, 1:]
    if "user_id" in asked:
        scores[asked["user_id"] == 0] = np.nan
    return scores


def _bpr_space(_: Problem) -> Space:
    return {"learning_rate": (0.003, 0.001, 0.01), "embedding_size": (64, 32, 128), "epochs": (10, 20, 5)}


def _lightgcn_space(_: Problem) -> Space:
    return {"learning_rate": (0.01, 0.005), "layers": (2, 1, 3), "embedding_size": (64, 32), "epochs": (5,)}


def _sasrec_space(_: Problem) -> Space:
    return {"learning_rate": (0.001, 0.003), "embedding_size": (64,), "epochs": (3,)}


def _peer(name: str, model: str, space: Any, slow: bool = False) -> Peer:
    return Peer(name, "recbole", "recbole", partial(recbole, model=model), space, slow=slow)


PEERS = (
    _peer("recbole_bpr", "BPR", _bpr_space),
    _peer("recbole_lightgcn", "LightGCN", _lightgcn_space),
    _peer("recbole_sasrec", "SASRec", _sasrec_space, slow=True),
)
