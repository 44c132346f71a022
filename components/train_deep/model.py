"""The two towers in Keras."""

from typing import Any

import keras
import numpy as np
from keras import ops

from components.train_deep.config import DeepConfig
from components.train_deep.features import LEVELS, ItemFeatures
from serving.arrays import Floats


@keras.saving.register_keras_serializable("cuvee")
class AgePooling(keras.layers.Layer):  # type: ignore[misc]
    """Means of the history, one per head, weighted by a softmax over content (query · key) and age."""

    def __init__(self, heads: int, max_age: int, decay: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.max_age, self.decay = heads, max_age, decay

    def build(self, _: Any) -> None:
        """Start every head at a geometric forgetting of its own."""
        ages = np.arange(self.max_age + 1, dtype=np.float32)[:, None]
        rates = self.decay * 2.0 ** -np.arange(self.heads, dtype=np.float32)
        self.by_age = self.add_weight(
            shape=(self.max_age + 1, self.heads), initializer=lambda *_, **__: ops.array(-ages * rates), name="by_age"
        )
        self.built = True

    def call(self, values: Any, ages: Any, content: Any) -> Any:
        """values (n, l, d), ages (n, l), content (n, l, heads) -> (n, heads, d)."""
        logits = content + ops.take(self.by_age, ops.clip(ages, 0, self.max_age), axis=0)
        logits = ops.where(ops.expand_dims(ages >= 0, -1), logits, -1e9)
        weights = ops.softmax(logits, axis=1)
        return ops.matmul(ops.transpose(weights, (0, 2, 1)), values)

    def get_config(self) -> dict[str, Any]:
        """The arguments to build it again."""
        return {**super().get_config(), "heads": self.heads, "max_age": self.max_age, "decay": self.decay}


def user_tower(config: DeepConfig) -> keras.Model:
    """history (n, l, d) float32, ages (n, l) int32 with -1 for padding -> user vectors (n, d).

    It starts as the age-weighted mean of the history; what the encoder adds starts at zero.
    """
    d = config.embedding_size
    history = keras.Input((None, d), name="history")
    ages = keras.Input((None,), dtype="int32", name="ages")
    zeros = ops.zeros_like(history[:, :, :1])
    recent = AgePooling(1, config.max_age, config.forgetting, name="recent")(history, ages, zeros)[:, 0]
    if config.encoder == "gru":
        read = keras.layers.GRU(d, name="read")(history, mask=ages >= 0)
    else:
        read = _attention(config, history, ages, recent)
    joined = keras.layers.Concatenate()([recent, read])
    joined = keras.layers.Dropout(config.dropout)(joined)
    hidden = keras.layers.Dense(2 * d, activation="swish", name="hidden")(joined)
    more = keras.layers.Dense(d, kernel_initializer="zeros", name="more")(hidden)
    return keras.Model([history, ages], recent + more, name="user")


def _attention(config: DeepConfig, history: Any, ages: Any, recent: Any) -> Any:
    size = config.embedding_size // config.heads
    query = keras.layers.Dense(config.heads * size, name="query")(recent)
    key = keras.layers.Dense(config.heads * size, name="key")(history)
    of_head = np.kron(np.eye(config.heads), np.ones((size, 1))).astype(np.float32) / size**0.5
    content = ops.matmul(ops.expand_dims(query, 1) * key, of_head)
    pooled = AgePooling(config.heads, config.max_age, 3 * config.forgetting, name="pooled")(history, ages, content)
    return keras.layers.Flatten()(pooled)


class ItemTower(keras.layers.Layer):  # type: ignore[misc]
    """Item vectors: an id embedding plus what a small network makes of the features; and item biases."""

    def __init__(self, features: ItemFeatures, ids: Floats, bias: Floats, config: DeepConfig) -> None:
        super().__init__(name="item")
        self.dense = ops.array(features.dense)
        self.categories, self.brands = ops.array(features.categories), ops.array(features.brands)
        self.levels = ops.cast(self.categories > 0, "float32")
        self.id_dropout = config.id_dropout
        n_items, d = ids.shape
        n_categories, n_brands = features.sizes
        width = config.feature_size
        self.ids = self.add_weight(shape=(n_items, d), initializer=lambda *_, **__: ops.array(ids), name="ids")
        self.bias = self.add_weight(shape=(n_items,), initializer=lambda *_, **__: ops.array(bias), name="bias")
        start = keras.initializers.RandomNormal(stddev=width**-0.5, seed=config.seed)
        small = keras.initializers.RandomNormal(stddev=0.02, seed=config.seed)
        self.category = self.add_weight(shape=(n_categories, width), initializer=start, name="category")
        self.brand = self.add_weight(shape=(n_brands, width), initializer=start, name="brand")
        self.network = keras.Sequential(
            [
                keras.layers.Dropout(config.dropout, seed=config.seed),
                keras.layers.Dense(d, activation="swish"),
                keras.layers.Dense(d, kernel_initializer=small),
            ]
        )
        self.network.build((None, features.dense.shape[1] + 2 * width))
        self.noise = keras.random.SeedGenerator(config.seed)

    def call(self, rows: Any, training: bool = False) -> Any:
        """Vectors (m, d) of the items *rows* (m,)."""
        ids = ops.take(self.ids, rows, axis=0)
        if training and self.id_dropout:
            kept = keras.random.uniform((ops.shape(rows)[0], 1), seed=self.noise) >= self.id_dropout
            ids = ids * ops.cast(kept, "float32")
        return ids + self.network(self.describe(rows), training=training)

    def describe(self, rows: Any) -> Any:
        """(m, k) features of the items *rows*: text, price, mean of the category's levels, brand."""
        levels = ops.expand_dims(ops.take(self.levels, rows, axis=0), -1)
        category = ops.take(self.category, ops.take(self.categories, rows, axis=0), axis=0) * levels
        mean = ops.sum(category, axis=1) / float(LEVELS)
        brand = ops.take(self.brand, ops.take(self.brands, rows, axis=0), axis=0)
        return ops.concatenate([ops.take(self.dense, rows, axis=0), mean, brand], axis=1)
