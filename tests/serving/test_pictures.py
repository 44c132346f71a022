import contextlib
import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import BAD_IMAGES, BLUE, RED, bomb, drawn, file_of, photo
from PIL import Image

from serving.pictures import FORMATS, BadMediaError, picture


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    found = picture(file_of(drawn(RED), kind), 32)
    assert found.shape == (32, 32, 3)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found[16, 16], RED, atol=12)
    np.testing.assert_allclose(found[0, 0], 255, atol=6)


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_what_is_no_good_picture_is_refused(name: str) -> None:
    with pytest.raises(BadMediaError):
        picture(BAD_IMAGES[name](), 32)


def test_a_bomb_is_refused_before_its_pixels_are_read() -> None:
    tracemalloc.start()
    with pytest.raises(BadMediaError, match="too many pixels"):
        picture(bomb(), 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_the_bound_of_pixels_is_the_caller_s() -> None:
    assert picture(photo(), 32, most_pixels=60_000).shape == (32, 32, 3)
    with pytest.raises(BadMediaError, match="too many pixels"):
        picture(photo(), 32, most_pixels=59_999)


def test_what_is_transparent_is_white() -> None:
    holes = np.dstack([drawn(BLUE), np.zeros((64, 64), np.uint8)])
    holes[24:40, 24:40, 3] = 255
    found = picture(file_of(holes), 64)
    np.testing.assert_allclose(found[32, 32], BLUE, atol=3)
    assert (found[20, 20] == 255).all()


def test_a_picture_is_turned_upright() -> None:
    top = np.full((64, 64, 3), 255, np.uint8)
    top[:16] = RED
    image, out = Image.fromarray(top), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 3  # upside down
    image.save(out, format="JPEG", exif=exif, quality=95)
    found = picture(out.getvalue(), 64)
    assert found[60, 32, 1] < 100 < found[4, 32, 1]


@given(st.binary(max_size=300), st.integers(0, 2000))
@settings(max_examples=60, deadline=None)
def test_changed_bytes_give_a_picture_or_one_kind_of_error(noise: bytes, place: int) -> None:
    content = bytearray(photo()[:5000])
    content[place : place + len(noise)] = noise
    with contextlib.suppress(BadMediaError):
        assert picture(bytes(content), 16).shape == (16, 16, 3)
