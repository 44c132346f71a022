"""Product photos: the type's outline in the item's colour and pattern, the brand's badge in a corner."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.ingest.bazaar.words import COLOURS
from components.ingest.bazaar.world import BRANDS_EACH, Items

Pixels = npt.NDArray[np.uint8]
SIDE, QUALITY = 96, 85
STRIPE = 6.5  # pattern cells a photo's half side
BADGE = 14  # pixels
BACKGROUND, NOISE = 236, 5.0
BADGES = ((200, 30, 90), (20, 120, 130), (90, 90, 30), (60, 60, 200), (210, 110, 20), (110, 40, 140))


def photo(items: Items, item: int, rng: np.random.Generator) -> bytes:
    """The JPEG of one item; *rng* turns, shifts and lights it."""
    pixels = picture(
        items, item, turn=rng.uniform(-0.4, 0.4), shift=rng.uniform(-0.1, 0.1, 2), size=rng.uniform(0.85, 1.1)
    )
    lit = pixels * rng.uniform(0.9, 1.05) + rng.normal(0, NOISE, pixels.shape)
    return jpeg(np.clip(lit, 0, 255).astype(np.uint8))


def picture(
    items: Items, item: int, turn: float, shift: npt.NDArray[np.float64], size: float, side: int = SIDE
) -> Pixels:
    """(side, side, 3) the item turned by *turn* radians, moved by *shift* half sides and scaled by *size*."""
    half = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(half - shift[0], half - shift[1])
    u = (x * np.cos(turn) + y * np.sin(turn)) / size
    v = (y * np.cos(turn) - x * np.sin(turn)) / size
    inside = _outline(int(items.type[item]), u, v)
    colour = np.array(COLOURS[items.colour[item]][1], dtype=np.float64)
    light = np.where(_pattern(int(items.pattern[item]), u, v), 0.5, 0.0)[..., None]
    body = colour * (1 - light) + 255 * light
    pixels = np.where(inside[..., None], body, float(BACKGROUND))
    _stamp(pixels, int(items.brand[item]))
    return pixels.astype(np.uint8)


def jpeg(pixels: Pixels) -> bytes:
    """(h, w, 3) as a JPEG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=QUALITY)
    return out.getvalue()


def _outline(kind: int, u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which points belong to the type: a ring of 2 to 7 lobes, flat or deep, wide, even or tall, one for each type."""
    lobes, depth, stretch = 2 + kind % 6, (0.1, 0.32)[kind // 6 % 2], (0.65, 1.0, 1.5)[kind // 12 % 3]
    wide, tall = u / np.sqrt(stretch), v * np.sqrt(stretch)
    angle = np.arctan2(tall, wide)
    inside: npt.NDArray[np.bool_] = np.hypot(wide, tall) < 0.6 * (1 + depth * np.cos(lobes * angle)) / (1 + depth / 2)
    return inside


def _pattern(pattern: int, u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which points are light: none, stripes, dots, checks or waves."""
    across, down = u * STRIPE, v * STRIPE
    patterns = (
        lambda: np.zeros(u.shape, dtype=bool),
        lambda: np.floor(across * 2) % 2 == 0,
        lambda: np.hypot(across % 2 - 1, down % 2 - 1) < 0.55,
        lambda: (np.floor(across) + np.floor(down)) % 2 == 0,
        lambda: np.floor(down * 2 + 1.5 * np.sin(across * 1.5)) % 2 == 0,
    )
    return patterns[pattern]()


def _stamp(pixels: npt.NDArray[np.float64], brand: int) -> None:
    """Put the brand's badge into the upper left corner: the department's colour, a sign for the brand."""
    size = max(4, BADGE * len(pixels) // SIDE)
    row, column = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    signs = (
        np.hypot(row, column) < 1,
        np.abs(row) + np.abs(column) < 1,
        np.abs(row) > 0.4,
        row > np.abs(column) * 2 - 1,
    )
    corner = pixels[2 : 2 + size, 2 : 2 + size]
    corner[signs[brand % BRANDS_EACH]] = BADGES[brand // BRANDS_EACH]
