"""Pictures from bytes that nobody has checked: decoded within bounds, or refused with the reason."""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from components.common.errors import InputError

Pixels = npt.NDArray[np.uint8]
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MOST_PIXELS = 40_000_000  # of a catalogue's photo, 120 MB while it is read
MOST_ASKED_PIXELS = 4_000_000  # of a photo in a request
WHITE = (255, 255, 255)


class BadMediaError(InputError):
    """A file that cannot be used; the message is its reason in a word or two, the same for all of the kind."""


def picture(content: bytes, side: int, most_pixels: int = MOST_PIXELS) -> Pixels:
    """Decode one image to (side, side, 3) of 0 to 255: the first frame, upright, on white, squeezed to a square.

    Args:
        content: a JPEG, PNG, WebP or GIF file.
        side: pixels.
        most_pixels: a larger image is refused before any of its pixels is read.

    Raises:
        BadMediaError: it is none of these, damaged, cut short, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, much higher, limit of pixels
            return _decoded(content, side, most_pixels)
    except BadMediaError:
        raise
    except Exception as error:  # a decoder may raise anything over bytes that were made to break it
        raise BadMediaError("damaged or cut short") from error


def _decoded(content: bytes, side: int, most_pixels: int) -> Pixels:
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BadMediaError("not an image") from error
    except Image.DecompressionBombError as error:
        raise BadMediaError("too many pixels") from error
    with image:
        if image.width * image.height > most_pixels:
            raise BadMediaError("too many pixels")
        image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is read at an eighth to a half of its size
        upright = ImageOps.exif_transpose(image)
        small = upright.convert("RGBA" if _has_holes(upright) else "RGB")
        small = small.resize((side, side), Image.Resampling.BICUBIC)
    if small.mode == "RGBA":
        ground = Image.new("RGBA", small.size, WHITE)
        small = Image.alpha_composite(ground, small).convert("RGB")
    return np.asarray(small, dtype=np.uint8)


def _has_holes(image: Image.Image) -> bool:
    return "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
