"""Media made for tests: pictures, sounds and clips, good ones and every bad one: import it as `media_files`."""

import io
import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from components.ingest.bazaar.clips import mp4
from components.ingest.bazaar.jingles import wav

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 40), (30, 40, 220)
RATE = 8000


def drawn(colour: tuple[int, int, int], shape: str = "box", side: int = 64, shift: int = 0) -> np.ndarray:
    """(side, side, 3) a box or a disc of one colour on white, moved to the right by *shift* pixels."""
    row, column = np.mgrid[:side, :side] - side // 2
    column = column - shift
    inside = (np.abs(row) < side // 4) & (np.abs(column) < side // 4)
    if shape == "disc":
        inside = np.hypot(row, column) < side // 4
    pixels = np.full((side, side, 3), 255, np.uint8)
    pixels[inside] = colour
    return pixels


def file_of(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """The bytes of an image file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=kind)
    return out.getvalue()


def tone(*pitches: float, seconds: float = 0.15) -> bytes:
    """A WAV file of one pitch (Hz) after the other."""
    time = np.arange(int(RATE * seconds)) / RATE
    sound = np.concatenate([np.sin(2 * np.pi * pitch * time) for pitch in pitches]) if pitches else np.empty(0)
    return wav(np.round(12_000 * sound).astype("<i2"))


def moving(colour: tuple[int, int, int], shifts: list[int]) -> bytes:
    """An MP4 file of a box that stands at each of *shifts*."""
    return mp4([drawn(colour, shift=shift) for shift in shifts])


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes that says it has 3.6 thousand million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def no_sound() -> bytes:
    """A WAV file of no seconds."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
    return out.getvalue()


def photo() -> bytes:
    """A JPEG large enough to be cut in the middle."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    return file_of(noise, "JPEG")


BAD_IMAGES: dict[str, Callable[[], bytes]] = {
    "cut": lambda: photo()[:4000],
    "bomb": bomb,
    "text": lambda: b"this is no picture, whatever its name says\n" * 20,
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "one byte": lambda: b"\xff",
    "head only": lambda: photo()[:20],
    "no data": lambda: file_of(drawn(RED))[:60],
}


def put(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Write *files* below *folder*; name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in files}
