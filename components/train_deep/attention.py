"""Attention over a history, from its last moment or from every one of its moments at once."""

from typing import Any

import keras
import numpy as np
from keras import ops

from components.train_deep.config import DeepConfig

Seen = dict[str, Any]  # history (n, l, d), ages (n, l), spans (n, q, l), recent (n, q, d): what a reader is given


def spans(ages: Any, every: bool) -> Any:
    """(n, q, l) visits between each entry and each moment of reading, -1 where the entry cannot be seen from there.

    Args:
        ages: (n, l) visits before the last entry, falling from left to right; -1 = padding.
        every: read at each of the l entries (q = l), or at the last alone (q = 1).
    """
    there = ops.expand_dims(ages, 1)
    if not every:
        return there
    here, place = ops.expand_dims(ages, 2), ops.arange(ops.shape(ages)[1])
    earlier = ops.expand_dims(place, 0) <= ops.expand_dims(place, 1)
    return ops.where((there >= 0) & (here >= 0) & earlier, there - here, -1)


@keras.saving.register_keras_serializable("cuvee")
class AgeWeights(keras.layers.Layer):  # type: ignore[misc]
    """Weights over the entries, one set per head: a softmax over age and, if given, content."""

    def __init__(self, heads: int, max_age: int, decay: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.max_age, self.decay = heads, max_age, decay

    def build(self, *_: Any) -> None:
        """Start every head at a geometric forgetting of its own."""
        ages = np.arange(self.max_age + 1, dtype=np.float32)[:, None]
        rates = self.decay * 2.0 ** -np.arange(self.heads, dtype=np.float32)
        self.by_age = self.add_weight(
            shape=(self.max_age + 1, self.heads), initializer=lambda *_, **__: ops.array(-ages * rates), name="by_age"
        )
        self.built = True

    def call(self, spans: Any, content: Any = None) -> Any:
        """spans (n, q, l), content (n, heads, q, l) -> (n, heads, q, l), summing to 1 over what can be seen."""
        by_age = ops.take(self.by_age, ops.clip(spans, 0, self.max_age), axis=0)
        logits = ops.transpose(by_age, (0, 3, 1, 2))
        logits = logits if content is None else logits + content
        return ops.softmax(ops.where(ops.expand_dims(spans >= 0, 1), logits, -1e9), axis=-1)


class Attention(keras.layers.Layer):  # type: ignore[misc]
    """Means of the history, one per head, weighted by age and by what the recent mean asks for."""

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(name="attention")
        self.heads, self.width = config.heads, config.embedding_size // config.heads
        self.size, self.seed = config.embedding_size, config.seed
        self.query = keras.layers.Dense(self.heads * self.width, name="query")
        self.weights_of = AgeWeights(self.heads, config.max_age, 3 * config.forgetting, name="pooled")

    def build(self, *_: Any) -> None:
        """The keys' kernel stands on the queries' side: what asks is one row, what is asked a whole history."""
        size = self.heads * self.width
        start = keras.initializers.RandomUniform(-((3 / size) ** 0.5), (3 / size) ** 0.5, seed=self.seed)
        self.key = self.add_weight(shape=(self.heads, self.width, self.size), initializer=start, name="key")
        self.built = True

    def call(self, seen: Seen) -> Any:
        """-> (n, q, heads * d)."""
        history, spans, recent = seen["history"], seen["spans"], seen["recent"]
        (n, q, d), length = ops.shape(recent), ops.shape(history)[1]
        query = ops.reshape(
            ops.transpose(_heads(self.query(recent), self.heads), (1, 0, 2, 3)), (self.heads, n * q, self.width)
        )
        asked = ops.reshape(ops.matmul(query, self.key), (self.heads, n, q, d)) / self.width**0.5
        wanted = ops.reshape(ops.transpose(asked, (1, 3, 0, 2)), (n, d, self.heads * q))
        content = ops.reshape(ops.matmul(history, wanted), (n, length, self.heads, q))
        weights = self.weights_of(spans, ops.transpose(content, (0, 2, 3, 1)))
        flat = ops.reshape(ops.transpose(weights, (0, 2, 1, 3)), (n, q * self.heads, length))
        return ops.reshape(ops.matmul(flat, history), (n, q, self.heads * d))


class Block(keras.layers.Layer):  # type: ignore[misc]
    """Causal self-attention over entries and ages, then a small network; each added to what came in."""

    def __init__(self, config: DeepConfig, name: str) -> None:
        super().__init__(name=name)
        d = config.embedding_size
        self.heads, self.width = config.heads, d // config.heads
        self.before, self.between = (keras.layers.LayerNormalization(name=n) for n in ("before", "between"))
        self.query, self.key, self.value = (
            keras.layers.Dense(self.heads * self.width, name=n) for n in ("query", "key", "value")
        )
        self.weights_of = AgeWeights(self.heads, config.max_age, config.forgetting, name="ages")
        self.out = keras.layers.Dense(d, name="out")
        self.wide = keras.layers.Dense(2 * d, activation="swish", name="wide")
        self.narrow = keras.layers.Dense(d, name="narrow")
        self.dropout = keras.layers.Dropout(config.dropout, seed=config.seed)

    def call(self, values: Any, spans: Any) -> Any:
        """values (n, l, d), spans (n, q, l) -> (n, q, d)."""
        normed = self.before(values)
        asked = self.query(moments(normed, spans)), self.key(normed), self.value(normed)
        query, key, value = (_heads(x, self.heads) for x in asked)
        content = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / self.width**0.5
        read = ops.transpose(ops.matmul(self.weights_of(spans, content), value), (0, 2, 1, 3))
        read = ops.reshape(read, (*ops.shape(spans)[:2], self.heads * self.width))
        values = moments(values, spans) + self.dropout(self.out(read))
        return values + self.dropout(self.narrow(self.wide(self.between(values))))


class Transformer(keras.layers.Layer):  # type: ignore[misc]
    """Blocks of self-attention; positions are known by their ages alone."""

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(name="transformer")
        self.blocks = [Block(config, f"block_{number}") for number in range(config.blocks)]
        self.last = keras.layers.LayerNormalization(name="last")
        self.dropout = keras.layers.Dropout(config.dropout, seed=config.seed)

    def call(self, seen: Seen) -> Any:
        """-> (n, q, d)."""
        history, inner = seen["history"], spans(seen["ages"], every=True)
        values = self.dropout(history * history.shape[-1] ** 0.5)
        for block in self.blocks[:-1]:
            values = block(values, inner)
        return self.last(self.blocks[-1](values, seen["spans"]))


def moments(x: Any, spans: Any) -> Any:
    """Of x (n, l, k) the entries from which *spans* (n, q, l) read: all, or the last."""
    return x[:, -1:] if spans.shape[1] == 1 else x


def _heads(x: Any, heads: int) -> Any:
    """(n, l, heads * s) -> (n, heads, l, s)."""
    n, length = ops.shape(x)[:2]
    return ops.transpose(ops.reshape(x, (n, length, heads, x.shape[-1] // heads)), (0, 2, 1, 3))
