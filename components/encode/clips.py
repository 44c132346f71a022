"""Clips and sounds from files that nobody has checked: a few frames, a log-mel picture; within bounds or refused."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np

from serving.arrays import Floats
from serving.pictures import MOST_PIXELS, BadMediaError, Pixels

FRAMES = 8  # of a clip
MOST_DECODED = 256  # frames: a longer clip is judged by its beginning
RATE, WINDOW, HOP, BANDS = 16_000, 512, 320, 40  # Hz, samples, samples (20 ms), mel bands
STEPS = 256  # of a sound, 5.1 s: a longer one is judged by its beginning
LEAST_STEPS = 4
# No playlist or list of parts, which would have ffmpeg open what they name: files of this machine, addresses.
ALONE = {"format_whitelist": "wav,mp3,flac,ogg,aac,aiff,mov,matroska,avi,mpegts,flv,gif", "protocol_whitelist": ""}
LOWEST, HIGHEST = 60.0, 7600.0  # Hz


def frames(content: bytes, side: int) -> list[Pixels]:
    """Up to FRAMES pictures (side, side, 3) spread over a clip's first MOST_DECODED frames.

    Raises:
        BadMediaError: no video that can be decoded, or too large a picture.
    """
    with _opened(content) as container:
        if not container.streams.video:
            raise BadMediaError("no picture in it")
        decoded = [_small(frame, side) for frame in _bounded(container)]
    if not decoded:
        raise BadMediaError("no picture in it")
    chosen = np.unique(np.linspace(0, len(decoded) - 1, min(FRAMES, len(decoded))).round().astype(int))
    return [decoded[place] for place in chosen]


@contextmanager
def _opened(content: bytes) -> Iterator["av.container.InputContainer"]:
    try:
        with av.open(io.BytesIO(content), "r", options=ALONE) as container:
            yield container
    except (av.FFmpegError, ValueError, TypeError, OSError, EOFError, MemoryError) as error:
        raise BadMediaError("damaged or cut short") from error


def _bounded(container: "av.container.InputContainer") -> Iterator["av.VideoFrame"]:
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    if stream.width * stream.height > MOST_PIXELS:
        raise BadMediaError("too many pixels")
    for number, frame in enumerate(container.decode(stream)):
        if number == MOST_DECODED or frame.width * frame.height > MOST_PIXELS:
            return
        yield frame


def _small(frame: "av.VideoFrame", side: int) -> Pixels:
    return np.asarray(frame.reformat(width=side, height=side, format="rgb24").to_ndarray(), dtype=np.uint8)


def log_mel(content: bytes) -> Floats:
    """(steps, BANDS) natural logarithm of the power in each band, of a sound's first 5 seconds.

    Raises:
        BadMediaError: no sound that can be decoded, or too short a one.
    """
    with _opened(content) as container:
        if not container.streams.audio:
            raise BadMediaError("no sound in it")
        samples = _samples(container)
    steps = (len(samples) - WINDOW) // HOP + 1
    if steps < LEAST_STEPS:
        raise BadMediaError("too short")
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:STEPS]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1)) ** 2
    found: Floats = np.log(power @ FILTERS.T + 1e-6).astype(np.float32)
    return found


def _samples(container: "av.container.InputContainer") -> Floats:
    """(n,) in [-1, 1] at RATE, one channel, no longer than is looked at."""
    most, have, parts = WINDOW + (STEPS - 1) * HOP, 0, []
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    for frame in container.decode(container.streams.audio[0]):
        for piece in resampler.resample(frame):
            parts.append(piece.to_ndarray().reshape(-1))
            have += len(parts[-1])
        if have >= most:
            break
    else:
        parts += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(None)]
    samples = np.concatenate([np.empty(0, np.float32), *parts])[:most]
    return np.asarray(np.clip(np.nan_to_num(samples), -1, 1), dtype=np.float32)


def _filters() -> Floats:
    """(BANDS, WINDOW // 2 + 1) triangles that overlap by half, evenly spread over the mel scale."""
    low, high = (2595 * float(np.log10(1 + pitch / 700)) for pitch in (LOWEST, HIGHEST))
    mel = np.linspace(low, high, BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    heard = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising = (heard - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - heard) / np.diff(edges)[1:, None]
    return np.asarray(np.maximum(np.minimum(rising, falling), 0), dtype=np.float32)


FILTERS = _filters()
