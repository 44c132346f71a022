"""A part of a release that is one JSON file: written whole, read whole or refused."""

from pathlib import Path
from typing import Self

from pydantic import ValidationError

from components.common.config import Config
from components.common.errors import ReleaseError
from components.common.files import read_json, write_json


class Part(Config):
    """Base of what a release holds as one JSON file."""

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ReleaseError: the file is missing, damaged or of another version.
        """
        try:
            return cls(**read_json(path))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise ReleaseError(f"{path.name}: cannot be read: {error}. Build the release again.") from error

    @classmethod
    def load_if_any(cls, path: Path) -> Self | None:
        """As `load`; None where the release has no such file."""
        return cls.load(path) if path.exists() else None
