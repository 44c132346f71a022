import contextlib
import io
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import BLUE, RED, moving, no_sound, photo, put, tone

from components.encode.clips import BANDS, FILTERS, FRAMES, LEAST_STEPS, STEPS, frames, log_mel
from serving.pictures import BadMediaError

BAD: dict[str, Callable[[], bytes]] = {
    "no seconds": no_sound,
    "one sample": lambda: tone(440, seconds=0.0002),
    "cut": lambda: moving(RED, [0, 5, 9])[:200],
    "head only": lambda: tone(440)[:30],
    "text": lambda: b"neither sound nor picture " * 30,
    "nothing": lambda: b"\0" * 500,
}


def test_frames_are_taken_in_their_order() -> None:
    found = frames(moving(BLUE, [-20, -10, 0, 10, 20]), 32)
    assert [pixels.shape for pixels in found] == [(32, 32, 3)] * 5
    places = [np.flatnonzero(pixels[16, :, 0] < 128).mean() for pixels in found]
    assert places == sorted(places)
    assert places[-1] - places[0] > 15


def test_of_a_long_clip_some_frames_are_taken() -> None:
    assert len(frames(moving(RED, list(range(-12, 12))), 16)) == FRAMES


def test_a_higher_tone_is_heard_in_a_higher_band() -> None:
    low, high = (int(log_mel(tone(pitch, seconds=0.5)).mean(axis=0).argmax()) for pitch in (300, 1200))
    assert low < high


def test_steps_are_bounded_however_long_the_sound() -> None:
    assert log_mel(tone(440, seconds=20)).shape == (STEPS, BANDS)
    assert len(log_mel(tone(440, seconds=0.15))) >= LEAST_STEPS


def test_silence_is_a_sound() -> None:
    assert np.isfinite(log_mel(tone(0, seconds=0.5))).all()


def test_two_channels_at_another_rate_are_one_at_ours() -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(22_050)
        time = np.arange(11_025) / 22_050
        sound = np.round(12_000 * np.sin(2 * np.pi * 440 * time)).astype("<i2")
        file.writeframes(np.repeat(sound, 2).tobytes())
    ours, theirs = log_mel(tone(440, seconds=0.5)), log_mel(out.getvalue())
    assert ours.mean(axis=0).argmax() == theirs.mean(axis=0).argmax()
    assert abs(len(ours) - len(theirs)) <= 1


def test_every_band_hears_something() -> None:
    assert FILTERS.shape[0] == BANDS
    assert (FILTERS.sum(axis=1) > 0).all()
    assert (FILTERS >= 0).all()


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("reader", [log_mel, lambda content: frames(content, 16)], ids=["sound", "clip"])
def test_what_cannot_be_used_is_refused(reader: Callable[[bytes], object], name: str) -> None:
    with pytest.raises(BadMediaError):
        reader(BAD[name]())


def test_a_sound_is_no_clip_and_a_clip_without_sound_no_sound() -> None:
    with pytest.raises(BadMediaError, match="no picture"):
        frames(tone(440), 16)
    with pytest.raises(BadMediaError, match="no sound"):
        log_mel(moving(RED, [0, 5, 9]))


def test_a_photo_is_a_clip_of_one_frame_or_refused() -> None:
    with contextlib.suppress(BadMediaError):
        assert len(frames(photo(), 16)) == 1


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
    ],
)
def test_nothing_is_opened_that_a_file_names(playlist: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"other.mp3": mp3(), "other.wav": tone(440, seconds=0.5)})["other.mp3"]
    content = playlist.format(path).encode()
    with pytest.raises(BadMediaError):
        log_mel(content)


def test_other_formats_are_heard_and_only_those_that_are_listed() -> None:
    assert log_mel(mp3()).shape[0] > 10
    with pytest.raises(BadMediaError):
        log_mel(mp3("nut"))  # holds the same sound, and ffmpeg could read it


def mp3(form: str = "mp3") -> bytes:
    """Half a second of sound."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream("mp3", rate=16_000)
        samples = (0.3 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 16_000)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
