"""What a user tower may read in a history beside its age-weighted mean: one layer a design."""

from typing import Any

import keras
from keras import ops

from components.train_deep.attention import Attention, Seen, Transformer, moments
from components.train_deep.config import DeepConfig, Encoder


class Recurrent(keras.layers.Layer):  # type: ignore[misc]
    """A GRU or an LSTM."""

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(name="recurrent")
        kind = keras.layers.GRU if config.encoder == "gru" else keras.layers.LSTM
        self.layer = kind(config.embedding_size, return_sequences=True, name="read")

    def call(self, seen: Seen) -> Any:
        """-> (n, q, d)."""
        return moments(self.layer(seen["history"], mask=seen["ages"] >= 0), seen["spans"])


class Convolution(keras.layers.Layer):  # type: ignore[misc]
    """Patterns of the last few entries: filters over neighbours, the strongest answer of each; and weighted sums."""

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(name="convolution")
        self.window = config.window
        self.across = [
            keras.layers.Dense(config.filters, activation="relu", name=f"across_{height}")
            for height in range(1, self.window + 1)
        ]
        self.down = keras.layers.Dense(config.heads, use_bias=False, name="down")

    def call(self, seen: Seen) -> Any:
        """-> (n, q, window * filters + heads * d)."""
        history, recent = seen["history"], seen["recent"]
        frames = self.frames(history, seen["spans"])
        strongest = [self.strongest(frames, height) for height in range(1, self.window + 1)]
        sums = ops.transpose(self.down(ops.stack(frames, axis=-1)), (0, 1, 3, 2))
        flat = ops.reshape(sums, (*ops.shape(recent)[:2], sums.shape[2] * history.shape[-1]))
        return ops.concatenate([*strongest, flat], axis=-1)

    def strongest(self, frames: list[Any], height: int) -> Any:
        """(n, q, filters) the best answer of each filter to *height* neighbours."""
        starts = range(self.window - height + 1)
        heard = [self.across[height - 1](ops.concatenate(frames[start : start + height], axis=-1)) for start in starts]
        return ops.max(ops.stack(heard), axis=0)

    def frames(self, history: Any, spans: Any) -> list[Any]:
        """The last `window` entries before each moment of reading, oldest first, each (n, q, d); zero = padding."""
        padded = ops.pad(history, ((0, 0), (self.window - 1, 0), (0, 0)))
        count = ops.shape(history)[1]
        return [moments(padded[:, start : start + count], spans) for start in range(self.window)]


READERS: dict[Encoder, Any] = {
    "attention": Attention, "transformer": Transformer, "gru": Recurrent, "lstm": Recurrent, "cnn": Convolution
}  # fmt: skip
