"""Which files are served as photos."""

from pathlib import Path

import pytest

from serving.storefront.photos import MAX_PHOTO_BYTES, photo_path, photo_type

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "shop"
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    return folder


def test_a_photo_in_the_folder_is_found_by_its_relative_or_absolute_path(root: Path) -> None:
    wanted = root / "media" / "a.jpg"
    assert photo_path(root, "media/a.jpg") == photo_path(root, str(wanted)) == wanted


@pytest.mark.parametrize(
    "cell",
    ["", None, float("nan"), 5, "media/b.jpg", "media", ".", "../secret.jpg", "media/../../secret.jpg", "a\0b",
     "https://elsewhere.example/a.jpg", "file:///etc/passwd", "/etc/passwd", "x" * 5000],
)  # fmt: skip
def test_anything_else_is_no_photo(root: Path, cell: object) -> None:
    assert photo_path(root, cell) is None


def test_a_link_out_of_the_folder_is_not_followed(root: Path) -> None:
    (root / "out.jpg").symlink_to(root.parent / "secret.jpg")
    (root / "round.jpg").symlink_to(root / "round.jpg")
    assert photo_path(root, "out.jpg") is photo_path(root, "round.jpg") is None


def test_what_is_no_photo_inside_is_not_served_whatever_its_name(root: Path) -> None:
    (root / "page.jpg").write_bytes(b"<html><script>alert(1)</script>")
    (root / "drawing.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    (root / "huge.jpg").write_bytes(JPEG)
    with (root / "huge.jpg").open("r+b") as handle:
        handle.truncate(MAX_PHOTO_BYTES + 1)
    assert {photo_path(root, name) for name in ("page.jpg", "drawing.svg", "huge.jpg")} == {None}


def test_types_by_their_first_bytes() -> None:
    assert photo_type(JPEG) == "image/jpeg"
    assert photo_type(b"\x89PNG\r\n\x1a\n\0\0") == "image/png"
    assert photo_type(b"GIF89a..") == "image/gif"
    assert photo_type(b"RIFF\x10\0\0\0WEBPVP8 ") == "image/webp"
    assert photo_type(b"RIFF\x10\0\0\0WAVEfmt ") is photo_type(b"") is None
