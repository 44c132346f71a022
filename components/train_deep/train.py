"""Training: sampled softmax, Adam, early stopping on users held out of the training events."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.train_deep.batches import Step
from components.train_deep.histories import Entries, Positions, states_before
from components.train_deep.model import ItemTower
from serving.arrays import PAD, Floats, top_k

K = 10
RULED_OUT = -1e9
RANKS = {"rows": 1, "history": 2, "ages": 2, "choices": 1, "log_q": 1, "seen": 2, "targets": 2}
SIGNATURE = [
    tf.TensorSpec([None] * RANKS[field.name], tf.float32 if field.name == "log_q" else tf.int32, field.name)
    for field in fields(Step)
]
Report = Callable[[int, int], None]


@dataclass
class Towers:
    """The trained pair."""

    user: keras.Model
    item: ItemTower

    def item_vectors(self) -> Floats:
        """(n_items, d)."""
        blocks = np.array_split(np.arange(self.item.ids.shape[0]), max(1, self.item.ids.shape[0] // 65536))
        return np.concatenate([np.asarray(self.item(tf.constant(block, tf.int32))) for block in blocks])

    def weights(self) -> list[npt.NDArray[np.generic]]:
        """Copies of all weights."""
        return [weight.numpy() for weight in (*self.user.trainable_variables, *self.item.trainable_variables)]

    def restore(self, weights: list[npt.NDArray[np.generic]]) -> None:
        """Put back what `weights` gave."""
        for variable, value in zip(
            (*self.user.trainable_variables, *self.item.trainable_variables), weights, strict=True
        ):
            variable.assign(value)


def step_function(towers: Towers, optimizer: keras.optimizers.Optimizer) -> Callable[..., tf.Tensor]:
    """One compiled step of training; takes the fields of `Step`, returns the loss."""
    variables = towers.user.trainable_variables + towers.item.trainable_variables

    def step(
        rows: tf.Tensor,
        history: tf.Tensor,
        ages: tf.Tensor,
        choices: tf.Tensor,
        log_q: tf.Tensor,
        seen: tf.Tensor,
        targets: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            vectors = towers.item(rows, training=True)
            padded = tf.concat([tf.zeros_like(vectors[:1]), vectors], axis=0)
            users = towers.user([tf.gather(padded, history + 1), ages], training=True)
            bias = tf.gather(tf.gather(towers.item.bias, rows), choices)
            logits = tf.matmul(users, tf.gather(vectors, choices), transpose_b=True) + bias - log_q
            logits = tf.tensor_scatter_nd_add(logits, seen, tf.fill([tf.shape(seen)[0]], RULED_OUT))
            present = tf.cast(targets >= 0, tf.float32)
            chosen = tf.gather(logits, tf.maximum(targets, 0), batch_dims=1)
            losses = tf.reduce_logsumexp(logits, axis=1, keepdims=True) - chosen
            loss = tf.reduce_sum(present * losses) / tf.reduce_sum(present)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    compiled: Callable[..., tf.Tensor] = tf.function(step, input_signature=SIGNATURE)
    return compiled


def ndcg(towers: Towers, entries: Entries, at: Positions, length: int) -> float:
    """Mean NDCG@10 over the whole catalogue of the positions' targets, items of the history left out."""
    vectors, bias = towers.item_vectors(), np.asarray(towers.item.bias)
    gains = [
        _ndcg_block(towers, vectors, bias, at.take(rows), entries, length)
        for rows in np.array_split(np.arange(len(at)), max(1, len(at) // 512))
    ]
    return float(np.concatenate(gains).mean())


def _ndcg_block(
    towers: Towers, vectors: Floats, bias: Floats, at: Positions, entries: Entries, length: int
) -> npt.NDArray[np.float64]:
    items, ages = states_before(entries, at, length)
    history = np.where((items != PAD)[..., None], vectors[items], np.float32(0))
    users = np.asarray(towers.user([history, ages]))
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
