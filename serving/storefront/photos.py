"""The photos of a shop's folder, as bytes that are a photo and nothing else.

Which file belongs to an item stands in the release's catalogue, never in a request; a file outside the folder, a link
out of it, and bytes that are no photo are not served, whatever their name says.
"""

from pathlib import Path

MAX_PHOTO_BYTES = 8 << 20
HEAD_BYTES = 16


def photo_path(root: Path, cell: object) -> Path | None:
    """The file that an item's *cell* names, if it is a photo inside *root*; None otherwise.

    Args:
        root: the shop's folder, resolved.
        cell: of the column `image`: an absolute path, or one relative to the folder; a URI is not followed.
    """
    if not isinstance(cell, str) or not cell or "://" in cell or "\0" in cell:
        return None
    try:
        path = (root / cell).resolve(strict=True)
        if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > MAX_PHOTO_BYTES:
            return None
        with path.open("rb") as handle:
            return path if photo_type(handle.read(HEAD_BYTES)) else None
    except (OSError, RuntimeError):  # RuntimeError: links that go round
        return None


def photo_type(head: bytes) -> str | None:
    """The media type that the first bytes of a file show; None: no photo that a browser draws. SVG is a program."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None
