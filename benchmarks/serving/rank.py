"""The deep member ranks 200 candidates: ONNX Runtime as served, beside the ways of TensorFlow.

Twice: each way many times in a row, as a server that does nothing else; and all ways in turn, so that each finds the
processor's caches full of the others' numbers.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CANDIDATES, HISTORY, REQUESTS = 200, 50, 200
IN_A_ROW, SLOW_IN_A_ROW = 20, 2
WAYS = ("onnx", "saved_model", "tf_function", "keras_call", "keras_predict")


def measure(_store: Path, out: Path) -> dict[str, Any]:
    """Milliseconds by way, how far each is from Keras' own scores, and the ratios to ONNX; in a process of its own."""
    folder = out / "rank"
    folder.mkdir(parents=True, exist_ok=True)
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving.rank", str(folder)], check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
    return found


def ranker() -> tuple[Any, int]:
    """A Keras model of the default design that scores (1, m, d) candidates by a history and its ages, and its d."""
    import keras
    import tensorflow as tf
    from keras import ops

    from components.train_deep.config import DeepConfig
    from components.train_deep.model import Tasks, UserTower, serving_model

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    config = DeepConfig()
    size = config.embedding_size
    tower = serving_model(UserTower(config), Tasks(1, 1, size), config)
    asked = keras.Input((None, size), name="candidates")
    scores = ops.matmul(asked, tower.outputs[0][:, :, None])[:, :, 0]
    return keras.Model([*tower.inputs, asked], scores), size


def _ways(folder: Path) -> tuple[dict[str, Callable[[], Any]], dict[str, Any]]:
    """Functions that answer one and the same question, over a tower of the default design with random weights."""
    import tensorflow as tf

    from serving.onnx import session

    model, size = ranker()
    rng = np.random.default_rng(0)
    for weight in model.weights:  # what starts at zero would compute nothing
        weight.assign(rng.normal(0, 0.1, weight.shape).astype(weight.dtype))
    question = {
        "history": rng.normal(size=(1, HISTORY, size)).astype(np.float32),
        "ages": np.arange(HISTORY, dtype=np.int32)[::-1][None].copy(),
        "candidates": rng.normal(size=(1, CANDIDATES, size)).astype(np.float32),
    }
    values = list(question.values())
    tensors = [tf.constant(value) for value in values]
    model(values)
    model.export(folder / "rank.onnx", format="onnx", verbose=False)
    model.export(folder / "saved", verbose=False)
    exported = session(folder / "rank.onnx")
    named = {one.name: value for one, value in zip(exported.get_inputs(), values, strict=True)}
    loaded, function = tf.saved_model.load(folder / "saved"), tf.function(model)
    return {
        "onnx": lambda: exported.run(None, named)[0],
        "saved_model": lambda: loaded.serve(tensors).numpy(),
        "tf_function": lambda: function(tensors).numpy(),
        "keras_call": lambda: model(tensors).numpy(),
        "keras_predict": lambda: model.predict(values, verbose=0),
    }, {"loaded": loaded}


def main(folder: Path) -> dict[str, Any]:
    """Time all ways one after another again and again, so that what else the machine does meets all alike."""
    ways, kept = _ways(folder)
    truth = ways["keras_call"]()
    away = {name: float(np.abs(way() - truth).max()) for name, way in ways.items()}
    row, turn = _timed(ways, REQUESTS // IN_A_ROW, IN_A_ROW), _timed(ways, REQUESTS, 1)
    kept.clear()
    return {"in_a_row": row, "in_turn": turn, "furthest": away}


def _timed(ways: dict[str, Callable[[], Any]], rounds: int, times: int) -> dict[str, dict[str, float]]:
    """Median milliseconds by way, each *times* in a row, and their ratios to ONNX; `keras_predict` a tenth as often."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            slow = name == "keras_predict"
            if slow and times == 1 and number % 10:
                continue
            for _ in range(min(times, SLOW_IN_A_ROW) if slow else times):
                started = time.perf_counter()
                way()
                taken[name].append((time.perf_counter() - started) * 1e3)
    medians = {name: float(np.median(times)) for name, times in taken.items()}
    return {"ms": medians, "times_onnx": {name: medians[name] / medians["onnx"] for name in WAYS}}


def tell(found: dict[str, Any]) -> list[str]:
    """One line for each way."""
    row, turn = found["in_a_row"], found["in_turn"]
    return [
        f"{name:14s} {row['ms'][name]:8.3f} ms in a row, {row['times_onnx'][name]:6.1f} times ONNX Runtime; "
        f"in turn {turn['ms'][name]:8.3f} ms, {turn['times_onnx'][name]:6.1f} times; "
        f"scores differ by {found['furthest'][name]:.1e}"
        for name in WAYS
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))) + "\n")
