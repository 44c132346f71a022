"""Clips: the item moving as its category does, as a short MP4 file."""

import io
from typing import Final

import av
import numpy as np

from components.ingest.bazaar.photos import Pixels, picture
from components.ingest.bazaar.words import CATEGORY_OF
from components.ingest.bazaar.world import Items

SIDE, FRAMES, RATE = 64, 8, 8  # pixels, frames, frames a second
CODEC: Final = "mpeg4"  # libx264 does not give the same bytes twice
PIXEL_FORMAT = "yuv420p"


def clip(items: Items, item: int, rng: np.random.Generator) -> bytes:
    """The MP4 file of one item; *rng* sets where its movement begins."""
    category, start = int(CATEGORY_OF[items.type[item]]), rng.uniform(-0.3, 0.3)
    return mp4([_frame(items, item, category, start, place / (FRAMES - 1)) for place in range(FRAMES)])


def mp4(frames: list[Pixels]) -> bytes:
    """Frames (h, w, 3), h and w even, as an MP4 file without sound."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream(CODEC, rate=RATE)
        stream.height, stream.width, stream.pix_fmt = frames[0].shape[0], frames[0].shape[1], PIXEL_FORMAT
        stream.codec_context.thread_count = 1  # the same bytes on any number of cores
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def _frame(items: Items, item: int, category: int, start: float, done: float) -> Pixels:
    """The movement at share *done*: turn, slide, rise, grow, swing or shrink, in one of three speeds."""
    pace = (0.5, 1.0, 1.6)[category // 6]
    move = pace * (done - 0.5)
    turn, shift, size = start, np.zeros(2), 0.9
    kind = category % 6
    if kind == 0:
        turn += 3.0 * move
    elif kind in (1, 2):
        shift[kind - 1] = 0.6 * move
    elif kind in (3, 5):
        size += (0.5 if kind == 3 else -0.5) * move
    else:
        turn += 0.8 * np.sin(2 * np.pi * pace * done)
    return picture(items, item, turn, shift, size, SIDE)
