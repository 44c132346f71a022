"""Who has moved `current`: a signed pointer carries a number that only grows, and a server goes back to no lower one.

A release's signature says who made it, not whether it is to be served now. So where keys are trusted, `current` holds a
second line beside the digest: a number, the release served before, and an ed25519 signature of all three. Whoever can
write to the store and not sign can put an old pointer back, but its number is lower than one that has been followed.
"""

import json
import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from components.common.errors import ReleaseError
from components.common.files import write_text
from serving.current import POINTER, current_digest
from serving.signature import Trust, check
from serving.workers import SEEN_VARIABLE

log = logging.getLogger(__name__)

_FORM = re.compile(
    r'([0-9a-f]{64})\n\{"before": "([0-9a-f]{64}|)", "number": ([1-9][0-9]{0,17}), "public_key": "([0-9a-f]{64})", '
    r'"signature": "([0-9a-f]{128})"\}\n'
)
_SEEN = re.compile(r"([1-9][0-9]{0,17}) ([0-9a-f]{64})\n")
_REMEDY = "`cuvee rollback --to DIGEST` points anew, where the key is (CUVEE_SIGNING_KEY)."


def pointer_message(digest: str, number: int, before: str) -> bytes:
    """What is signed of a pointer, and what it is, so that the signature serves for nothing else."""
    return f"cuvee current {number} {digest} {before or '-'}".encode("ascii")


def written(digest: str, number: int, before: str, public_key: str, signature: str) -> str:
    """The content of a signed `current`, in one form only."""
    told = {"before": before, "number": number, "public_key": public_key, "signature": signature}
    return f"{digest}\n{json.dumps(told)}\n"


@dataclass(frozen=True)
class Pointer:
    """What `current` says.

    number: grows with every change, 0 where nobody has signed. before: what may stand in if the release cannot be
    taken, empty where there is nothing. signer: the public key that has signed all this, as hexadecimal, or None.
    """

    digest: str
    number: int = 0
    before: str = ""
    signer: str | None = None

    @classmethod
    def read(cls, store: Path) -> "Pointer | None":
        """The pointer of *store*; None where nothing has been published yet.

        Raises:
            ReleaseError: it cannot be read, holds no digest, or a signature of something else.
        """
        digest = current_digest(store)
        if digest is None:
            return None
        text = (store / POINTER).read_text(encoding="ascii")
        if text.partition("\n")[2].strip() == "":
            return cls(digest)
        found = _FORM.fullmatch(text)
        try:
            if found is None:
                raise ValueError("not of the one form")
            pointer = cls(found[1], int(found[3]), found[2], found[4])
            message = pointer_message(pointer.digest, pointer.number, pointer.before)
            check(found[4], found[5], message)
        except ValueError as error:
            raise ReleaseError(f"{store / POINTER}: its signature is of something else. {_REMEDY}") from error
        return pointer


@dataclass
class Seen:
    """The highest number that has been followed, and its release: no pointer with a lower one is taken any more.

    file: where they outlast this process; None: they do not.
    """

    file: Path | None = None
    number: int = field(default=0, init=False)
    digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._look()

    @classmethod
    def configured(cls) -> "Seen":
        """With the file of `CUVEE_SEEN`, which whoever writes to the store must not be able to write."""
        named = os.environ.get(SEEN_VARIABLE)
        return cls(Path(named) if named else None)

    def check(self, pointer: Pointer, trust: Trust) -> None:
        """Is *pointer* signed by a trusted key, and no older than what was followed; without keys nothing is asked.

        Raises:
            ReleaseError: it is not.
        """
        if not trust.keys:
            return
        if pointer.signer not in trust.keys:
            told = "nobody has" if pointer.signer is None else f"key {pointer.signer[:16]}…, not trusted here, has"
            raise ReleaseError(f"{POINTER}: {told} signed that it names {pointer.digest}. {_REMEDY}")
        self._look()
        if pointer.number < self.number or (pointer.number == self.number and pointer.digest != self.digest):
            raise ReleaseError(
                f"{POINTER}: it was put back: found number {pointer.number} for {pointer.digest}, expected "
                f"{self.number} or more. See who can write to the store. {_REMEDY}"
            )

    def note(self, pointer: Pointer) -> None:
        """*pointer* is followed from now on; without a signature that says nothing."""
        if pointer.number <= self.number:
            return
        self.number, self.digest = pointer.number, pointer.digest
        if self.file is not None:
            try:
                write_text(self.file, f"{self.number} {self.digest}\n")
            except OSError as error:
                log.error("%s of %s cannot be written: a restart forgets it. %s", self.file, SEEN_VARIABLE, error)

    def _look(self) -> None:
        """Other workers may have followed a higher one."""
        if self.file is None:
            return
        try:
            found = _SEEN.fullmatch(self.file.read_text(encoding="ascii", errors="replace"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise ReleaseError(f"{self.file} of {SEEN_VARIABLE} cannot be read: {error}.") from error
        if found is None:
            raise ReleaseError(
                f"{self.file} of {SEEN_VARIABLE}: found no number and digest. Remove it, once you know why."
            )
        if int(found[1]) > self.number:
            self.number, self.digest = int(found[1]), found[2]
