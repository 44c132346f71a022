"""The live rules: a file beside the release, read again whenever its bytes change."""

import logging
from pathlib import Path

from components.common.errors import ConfigError
from serving.rules.reading import MAX_BYTES, read
from serving.rules.schema import Rules

log = logging.getLogger(__name__)


class RulesFile:
    """The last set of a file that could be read; `refused`: what stands there now could not."""

    def __init__(self, path: Path) -> None:
        self.rules: Rules | None = None
        self.refused = False
        self._path = path
        self._seen: bytes | None = None
        self.look(first=True)

    def look(self, first: bool = False) -> bool:
        """Read the file if it changed; True if other rules are to be followed, or if `refused` changed."""
        text = self._read()
        if text == self._seen and not first:
            return False
        self._seen, before = text, (self.rules, self.refused)
        self.refused = not self._take(text)
        return (self.rules, self.refused) != before

    def _take(self, text: bytes | None) -> bool:
        try:
            if text is None:
                raise ConfigError(f"{self._path}: there is no such file, or it cannot be read.")
            self.rules = read(text, str(self._path))
        except ConfigError as error:
            log.error("keeping the rules there were: %s", error)
            return False
        log.info("following %d rules of %s", len(self.rules.rules), self._path)
        return True

    def _read(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError:
            return None
