"""Training: sampled softmax, Adam, early stopping on users held out of the training events."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.train_deep.batches import Step
from components.train_deep.histories import Entries, Positions, states_before
from components.train_deep.model import SUCCESS, ItemTower, Tasks, UserTower
from components.train_deep.optimise import Optimiser
from serving.arrays import PAD, Floats, top_k

K = 10
RULED_OUT = -1e9
RANKS = {"rows": 1, "history": 2, "ages": 2, "reads": 1, "choices": 1, "log_q": 1, "seen": 2, "targets": 2, "tasks": 2}
SIGNATURE = [
    tf.TensorSpec([None] * RANKS[field.name], tf.float32 if field.name == "log_q" else tf.int32, field.name)
    for field in fields(Step)
]
Report = Callable[[int, int], None]


@dataclass
class Towers:
    """The trained pair."""

    user: UserTower
    item: ItemTower
    tasks: Tasks
    reader: keras.Model  # what serving runs: history and ages to the vector for the task of success

    def bias(self) -> Floats:
        """(n_items,) for the task of success."""
        return np.asarray(self.item.bias + self.tasks.bias_of(tf.range(self.item.bias.shape[0]), SUCCESS))

    def item_vectors(self) -> Floats:
        """(n_items, d)."""
        blocks = np.array_split(np.arange(self.item.ids.shape[0]), max(1, self.item.ids.shape[0] // 65536))
        return np.concatenate([np.asarray(self.item(tf.constant(block, tf.int32))) for block in blocks])

    @property
    def variables(self) -> list[Any]:
        """All that is trained."""
        return [variable for part in (self.user, self.item, self.tasks) for variable in part.trainable_variables]

    def weights(self) -> list[npt.NDArray[np.generic]]:
        """Copies of all weights."""
        return [variable.numpy() for variable in self.variables]

    def restore(self, weights: list[npt.NDArray[np.generic]]) -> None:
        """Put back what `weights` gave."""
        for variable, value in zip(self.variables, weights, strict=True):
            variable.assign(value)


def step_function(towers: Towers, optimiser: Optimiser, every: bool, other_weight: float) -> Callable[..., tf.Tensor]:
    """One compiled step of training; takes the fields of `Step`, returns the loss."""
    others = towers.tasks.count - 1
    weights = [1.0] + [other_weight / max(others, 1)] * others

    def step(
        rows: tf.Tensor,
        history: tf.Tensor,
        ages: tf.Tensor,
        reads: tf.Tensor,
        choices: tf.Tensor,
        log_q: tf.Tensor,
        seen: tf.Tensor,
        targets: tf.Tensor,
        tasks: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            vectors = towers.item(rows, training=True)
            padded = tf.concat([tf.zeros_like(vectors[:1]), vectors], axis=0)
            users = towers.user(tf.gather(padded, history + 1), ages, every=every, training=True)
            users = tf.gather(tf.reshape(users, [-1, users.shape[-1]]), reads)
            chosen = tf.gather(rows, choices)
            fixed = tf.tile((tf.gather(towers.item.bias, chosen) - log_q)[None], [tf.shape(reads)[0], 1])
            fixed = tf.tensor_scatter_nd_add(fixed, seen, tf.fill([tf.shape(seen)[0]], RULED_OUT))
            of_choices = tf.gather(vectors, choices)
            loss = 0.0
            for task, weight in enumerate(weights):
                counted = (targets >= 0) & (tasks == task)
                at = tf.where(tf.reduce_any(counted, axis=1))[:, 0]
                logits = tf.matmul(towers.tasks.users(tf.gather(users, at), task), of_choices, transpose_b=True)
                logits += tf.gather(fixed, at) + towers.tasks.bias_of(chosen, task)
                loss += weight * cross_entropy(logits, tf.gather(targets, at), tf.gather(counted, at))
        optimiser.apply(tape.gradient(loss, optimiser.variables))
        return loss

    compiled: Callable[..., tf.Tensor] = tf.function(step, input_signature=SIGNATURE, autograph=False)
    return compiled


def cross_entropy(logits: tf.Tensor, targets: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Mean over the *counted* targets of -log softmax(logits)[target]; 0 if there are none."""
    counts = tf.cast(counted, tf.float32)
    chosen = tf.gather(logits, tf.maximum(targets, 0), batch_dims=1)
    losses = tf.reduce_logsumexp(logits, axis=1, keepdims=True) - chosen
    return tf.reduce_sum(counts * losses) / tf.maximum(tf.reduce_sum(counts), 1.0)


def ndcg(towers: Towers, entries: Entries, at: Positions, length: int) -> npt.NDArray[np.float64]:
    """(p,) NDCG@10 over the whole catalogue of the positions' targets, items of the history left out."""
    vectors, bias = towers.item_vectors(), towers.bias()
    gains = [
        _ndcg_block(towers, vectors, bias, at.take(rows), entries, length)
        for rows in np.array_split(np.arange(len(at)), max(1, len(at) // 512))
    ]
    return np.concatenate(gains)


def _ndcg_block(
    towers: Towers, vectors: Floats, bias: Floats, at: Positions, entries: Entries, length: int
) -> npt.NDArray[np.float64]:
    items, ages = states_before(entries, at, length)
    history = np.where((items != PAD)[..., None], vectors[items], np.float32(0))
    users = np.asarray(towers.reader([history, ages]))
    scores = users @ vectors.T + bias
    row, column = np.nonzero(items != PAD)
    scores[row, items[row, column]] = -np.inf
    sizes = np.diff(at.indptr)
    owner = np.repeat(np.arange(len(at)), sizes)
    best = top_k(scores, K)
    discounts = 1 / np.log2(np.arange(2, K + 2))
    hits = (best[owner] == at.targets[:, None]) * discounts[: best.shape[1]]
    dcg = np.bincount(owner, hits.sum(axis=1), minlength=len(at))
    ideal = np.cumsum(discounts)
    return np.asarray(dcg / ideal[np.minimum(sizes, K) - 1])
