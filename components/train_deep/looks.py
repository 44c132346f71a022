"""Ways to read an item's photo beside what else is known of it: one layer a way.

Each gives what the photo adds to the item's vector; the item tower adds it where there is a photo, and nothing where
there is none.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from components.train_deep.config import DeepConfig
from components.train_deep.config import Photos as Way
from components.train_deep.photos import ItemPhotos

Described = dict[
    str, Any
]  # text (m, t) with the price; category, brand, attributes (m, w); there (m, 4) 0 or 1: is it known
PARTS = ("text", "category", "brand", "attributes")
FAR = -1e9


class Late(keras.layers.Layer):  # type: ignore[misc]
    """The photo's vector beside text, category, brand and attributes, through one small network."""

    def __init__(self, photos: ItemPhotos, config: DeepConfig) -> None:
        super().__init__(name="late")
        self.vectors = ops.array(np.nan_to_num(photos.vectors))
        self.network = _network(config)

    def call(self, rows: Any, said: Described, training: bool = False) -> Any:
        """-> (m, d)."""
        parts = [ops.take(self.vectors, rows, axis=0), *(said[name] for name in PARTS)]
        return self.network(ops.concatenate(parts, axis=1), training=training)


class Maps(keras.layers.Layer):  # type: ignore[misc]
    """Holds the maps (n_items, h, w, c) of the photos, zero where there is none."""

    def __init__(self, photos: ItemPhotos, name: str) -> None:
        super().__init__(name=name)
        self.maps = ops.array(np.nan_to_num(photos.maps))

    def of(self, rows: Any) -> Any:
        """(m, h, w, c) float32."""
        return ops.cast(ops.take(self.maps, rows, axis=0), "float32")


class CategorySpecific(Maps):
    """CSCNN: the category says which channels of the maps count and where to look.

    Channels are weighed by sigmoid(f(mean, category) + f(maximum, category)), then places by the sigmoid of a
    convolution over the channels' mean, their maximum and a map that the category gives.
    """

    def __init__(self, photos: ItemPhotos, config: DeepConfig) -> None:
        super().__init__(photos, "cscnn")
        self.height, self.width, channels = photos.maps.shape[1:]
        self.inner = keras.layers.Dense(channels, activation="relu", name="inner")
        self.outer = keras.layers.Dense(channels, name="outer")
        self.prior = keras.layers.Dense(self.height * self.width, name="prior")
        self.place = keras.layers.Conv2D(1, 3, padding="same", name="place")
        self.network = _network(config)

    def call(self, rows: Any, said: Described, training: bool = False) -> Any:
        """-> (m, d)."""
        refined = self.refined(self.of(rows), said["category"])
        pooled = [ops.mean(refined, axis=(1, 2)), ops.max(refined, axis=(1, 2)), said["category"]]
        return self.network(ops.concatenate(pooled, axis=1), training=training)

    def refined(self, maps: Any, category: Any) -> Any:
        """(m, h, w, c) *maps* by the weights of channels, then of places."""
        pooled = (ops.mean(maps, axis=(1, 2)), ops.max(maps, axis=(1, 2)))
        heard = [self.outer(self.inner(ops.concatenate([part, category], axis=1))) for part in pooled]
        maps = maps * ops.expand_dims(ops.sigmoid(heard[0] + heard[1]), (1, 2))
        prior = ops.reshape(self.prior(category), (-1, self.height, self.width, 1))
        across = [ops.mean(maps, axis=-1, keepdims=True), ops.max(maps, axis=-1, keepdims=True), prior]
        return maps * ops.sigmoid(self.place(ops.concatenate(across, axis=-1)))


class CrossModal(Maps):
    """DeepFusion, as we read the name: text, category, brand and attributes attend over the places of the photo, and
    the photo over them; what each finds goes through one network. A part that is not known is not attended to."""

    def __init__(self, photos: ItemPhotos, config: DeepConfig) -> None:
        super().__init__(photos, "deepfusion")
        self.heads, self.size = config.heads, config.feature_size // config.heads * config.heads
        self.parts = [keras.layers.Dense(self.size, name=name) for name in PARTS]
        self.seen = keras.layers.Dense(self.size, name="seen")
        self.asks, self.answers = (keras.layers.Dense(self.size, name=name) for name in ("asks", "answers"))
        start = keras.initializers.RandomNormal(stddev=0.02, seed=config.seed)
        places = photos.maps.shape[1] * photos.maps.shape[2]
        self.position = self.add_weight(shape=(places, self.size), initializer=start, name="position")
        self.network = _network(config)

    def call(self, rows: Any, said: Described, training: bool = False) -> Any:
        """-> (m, d)."""
        maps = self.of(rows)
        seen = self.seen(ops.reshape(maps, (-1, maps.shape[1] * maps.shape[2], maps.shape[3]))) + self.position
        told = ops.stack([layer(said[name]) for name, layer in zip(PARTS, self.parts, strict=True)], axis=1)
        there = ops.expand_dims(said["there"], -1)
        looked = there * self.attend(self.asks(told), seen, ops.ones_like(seen[..., 0]))
        whole = ops.mean(seen, axis=1, keepdims=True)
        heard = ops.max(there, axis=1, keepdims=True) * self.attend(self.answers(whole), told, said["there"])
        known = ops.maximum(ops.sum(there, axis=1), 1.0)
        found = [ops.sum(looked, axis=1) / known, heard[:, 0], whole[:, 0]]
        return self.network(ops.concatenate(found, axis=1), training=training)

    def attend(self, query: Any, tokens: Any, there: Any) -> Any:
        """query (m, q, s), tokens (m, t, s), there (m, t) -> (m, q, s): by head, means of what *there* is."""
        width = self.size // self.heads
        asked, held = (ops.reshape(x, (-1, x.shape[1], self.heads, width)) for x in (query, tokens))
        logits = ops.einsum("mqhs,mths->mhqt", asked, held) / width**0.5
        weights = ops.softmax(logits + FAR * (1 - there[:, None, None, :]), axis=-1)
        return ops.reshape(ops.einsum("mhqt,mths->mqhs", weights, held), (-1, query.shape[1], self.size))


def _network(config: DeepConfig) -> keras.Sequential:
    """(m, k) to (m, d), near zero at the start."""
    small = keras.initializers.RandomNormal(stddev=0.02, seed=config.seed)
    return keras.Sequential(
        [
            keras.layers.Dropout(config.dropout, seed=config.seed),
            keras.layers.Dense(config.embedding_size, activation="swish"),
            keras.layers.Dense(config.embedding_size, kernel_initializer=small),
        ]
    )


WAYS: dict[Way, Any] = {"vector": Late, "cscnn": CategorySpecific, "deepfusion": CrossModal}
