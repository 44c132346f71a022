"""Adam for steps that touch few rows of a large table: the rest of the table costs nothing."""

from typing import Any

import keras
import tensorflow as tf

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-7  # Adam's own
LAST = 0.05  # of the learning rate, at the end


class RowAdam:
    """Adam on one table; the moments of a row change only in steps that touch it."""

    def __init__(self, table: Any) -> None:
        self.table = table.value
        self.mean, self.square = (tf.Variable(tf.zeros(table.shape), trainable=False) for _ in range(2))
        self.steps = tf.Variable(0.0, trainable=False)

    def apply(self, gradient: tf.IndexedSlices, learning_rate: tf.Tensor) -> None:
        """Move the rows `gradient.indices`, which are distinct."""
        rows, values = gradient.indices, gradient.values
        self.steps.assign_add(1.0)
        mean = FIRST * tf.gather(self.mean, rows) + (1 - FIRST) * values
        square = SECOND * tf.gather(self.square, rows) + (1 - SECOND) * tf.square(values)
        rate = learning_rate * tf.sqrt(1 - SECOND**self.steps) / (1 - FIRST**self.steps)
        self.mean.scatter_update(tf.IndexedSlices(mean, rows))
        self.square.scatter_update(tf.IndexedSlices(square, rows))
        self.table.scatter_sub(tf.IndexedSlices(rate * mean / (tf.sqrt(square) + EPSILON), rows))


class Optimiser:
    """Adam, one table by its touched rows; its step falls along a cosine to almost nothing.

    Args:
        table: the variable whose gradient names its rows.
        others: the other variables.
        learning_rate: the first step.
        steps: after which the last is reached.
    """

    def __init__(self, table: Any, others: list[Any], learning_rate: float, steps: int) -> None:
        self.rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=LAST)
        self.rows, self.others = RowAdam(table), others
        self.adam = keras.optimizers.Adam(self.rate)
        self.adam.build(others)
        self.variables = [table, *others]

    def apply(self, gradients: list[Any]) -> None:
        """Move all by *gradients*, in the order of `variables`."""
        self.rows.apply(gradients[0], self.rate(self.rows.steps))
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients[1:]]  # once: Adam asks for it twice
        self.adam.apply_gradients(zip(dense, self.others, strict=True))
