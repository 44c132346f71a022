"""The two towers in Keras."""

from typing import Any

import keras
import numpy as np
from keras import ops

from components.train_deep.attention import AgeWeights, spans
from components.train_deep.config import DeepConfig
from components.train_deep.features import LEVELS, ItemFeatures
from components.train_deep.looks import PARTS, WAYS, Described
from components.train_deep.photos import ItemPhotos
from components.train_deep.readers import READERS
from serving.arrays import Floats

SUCCESS = 0  # the task that is served


class UserTower(keras.layers.Layer):  # type: ignore[misc]
    """A user's vector from the history: its age-weighted mean, and what a design adds to it, which starts at zero."""

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(name="user_tower")
        d = config.embedding_size
        self.recent = AgeWeights(1, config.max_age, config.forgetting, name="recent")
        self.reader = READERS[config.encoder](config) if config.encoder in READERS else None
        self.dropout = keras.layers.Dropout(config.dropout, seed=config.seed)
        self.hidden = keras.layers.Dense(2 * d, activation="swish", name="hidden")
        self.more = keras.layers.Dense(d, kernel_initializer="zeros", name="more")

    def call(self, history: Any, ages: Any, every: bool = False) -> Any:
        """history (n, l, d), ages (n, l) -> (n, l, d) read at every entry, or (n, 1, d) at the last."""
        between = spans(ages, every)
        recent = ops.matmul(self.recent(between)[:, 0], history)
        seen = {"history": history, "ages": ages, "spans": between, "recent": recent}
        read = [recent] if self.reader is None else [recent, self.reader(seen)]
        return recent + self.more(self.hidden(self.dropout(ops.concatenate(read, axis=-1))))


class Tasks(keras.layers.Layer):  # type: ignore[misc]
    """One head per kind of event: what it adds to the shared user vector and item biases; nothing where one is all."""

    def __init__(self, count: int, n_items: int, size: int) -> None:
        super().__init__(name="tasks")
        self.count = count
        if count > 1:
            self.kernels = self.add_weight(shape=(count, size, size), initializer="zeros", name="kernels")
            self.biases = self.add_weight(shape=(count, n_items), initializer="zeros", name="biases")

    def users(self, shared: Any, task: int) -> Any:
        """(n, d) user vectors for *task*."""
        return shared if self.count == 1 else shared + ops.matmul(shared, self.kernels[task])

    def bias_of(self, items: Any, task: int) -> Any:
        """What *task* adds to the biases of *items* (m,)."""
        return 0.0 if self.count == 1 else ops.take(self.biases[task], items, axis=0)

    def call(self, shared: Any) -> Any:
        """User vectors for the task of success."""
        return self.users(shared, SUCCESS)


def serving_model(tower: UserTower, tasks: Tasks, config: DeepConfig) -> keras.Model:
    """history (n, l, d) float32, ages (n, l) int32 with -1 for padding -> user vectors (n, d)."""
    history = keras.Input((None, config.embedding_size), name="history")
    ages = keras.Input((None,), dtype="int32", name="ages")
    return keras.Model([history, ages], tasks(tower(history, ages)[:, 0]), name="user")


class ItemTower(keras.layers.Layer):  # type: ignore[misc]
    """Item vectors: an id embedding plus what a small network makes of the features; and item biases.

    Where the config says how, an item with a photo has what that adds too; an item without one is as if nobody asked.
    """

    def __init__(
        self,
        features: ItemFeatures,
        ids: Floats,
        bias: Floats,
        config: DeepConfig,
        photos: ItemPhotos | None = None,
    ) -> None:
        super().__init__(name="item")
        self.dense = ops.array(features.dense)
        self.categories, self.brands = ops.array(features.categories), ops.array(features.brands)
        self.attributes, self.there = ops.array(features.attributes), ops.array(features.parts.astype(np.float32))
        self.id_dropout = config.id_dropout
        n_items, d = ids.shape
        n_categories, n_brands, n_attributes = features.sizes
        width = config.feature_size
        self.ids = self.add_weight(shape=(n_items, d), initializer=lambda *_, **__: ops.array(ids), name="ids")
        self.bias = self.add_weight(shape=(n_items,), initializer=lambda *_, **__: ops.array(bias), name="bias")
        start = keras.initializers.RandomNormal(stddev=width**-0.5, seed=config.seed)
        small = keras.initializers.RandomNormal(stddev=0.02, seed=config.seed)
        self.category = self.add_weight(shape=(n_categories, width), initializer=start, name="category")
        self.brand = self.add_weight(shape=(n_brands, width), initializer=start, name="brand")
        self.attribute = self.add_weight(shape=(n_attributes, width), initializer=start, name="attribute")
        self.network = keras.Sequential(
            [
                keras.layers.Dropout(config.dropout, seed=config.seed),
                keras.layers.Dense(d, activation="swish"),
                keras.layers.Dense(d, kernel_initializer=small),
            ]
        )
        self.network.build((None, features.dense.shape[1] + 3 * width))
        self.noise = keras.random.SeedGenerator(config.seed)
        self.look = None
        if photos is not None and config.photos in WAYS:
            self.look = WAYS[config.photos](photos, config)
            self.shown = ops.array(photos.known[:, None].astype(np.float32))
            self(ops.arange(1))  # build it: its weights are trained like the others

    def call(self, rows: Any, training: bool = False) -> Any:
        """Vectors (m, d) of the items *rows* (m,)."""
        ids = ops.take(self.ids, rows, axis=0)
        if training and self.id_dropout:
            kept = keras.random.uniform((ops.shape(rows)[0], 1), seed=self.noise) >= self.id_dropout
            ids = ids * ops.cast(kept, "float32")
        said = self.describe(rows)
        features = ops.concatenate([said[name] for name in PARTS], axis=1)
        vectors = ids + self.network(features, training=training)
        if self.look is None:
            return vectors
        return vectors + ops.take(self.shown, rows, axis=0) * self.look(rows, said, training=training)

    def describe(self, rows: Any) -> Described:
        """What is known of the items *rows*: text and price, category's levels, brand, attributes."""
        levels = _sum(self.category, ops.take(self.categories, rows, axis=0)) / float(LEVELS)
        brand = ops.take(self.brand, ops.take(self.brands, rows, axis=0), axis=0)
        tokens = ops.take(self.attributes, rows, axis=0)
        count = ops.sum(ops.cast(tokens > 0, "float32"), axis=1, keepdims=True)
        attributes = _sum(self.attribute, tokens) / ops.sqrt(ops.maximum(count, 1.0))
        return {
            "text": ops.take(self.dense, rows, axis=0),
            "category": levels,
            "brand": brand,
            "attributes": attributes,
            "there": ops.take(self.there, rows, axis=0),
        }


def _sum(table: Any, tokens: Any) -> Any:
    present = ops.expand_dims(ops.cast(tokens > 0, "float32"), -1)
    return ops.sum(ops.take(table, tokens, axis=0) * present, axis=1)
