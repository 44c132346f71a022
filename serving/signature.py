"""Who vouches for a release: `signature.json` beside the manifest, an ed25519 signature of the release's digest.

The digest stands for every byte of the release, so the signature does too. Only a publisher holds the private key; a
server holds public ones, in the variable `CUVEE_TRUSTED_KEYS` or the file that it names, and then takes no release
that none of them has signed.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from components.common.errors import ConfigError, ReleaseError

SIGNATURE_FILE = "signature.json"
TRUSTED_VARIABLE = "CUVEE_TRUSTED_KEYS"
MAX_SIGNATURE_BYTES = 1024
_FORM = re.compile(r'\{"public_key": "([0-9a-f]{64})", "signature": "([0-9a-f]{128})"\}\n')
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def signed_message(digest: str) -> bytes:
    """What is signed: the digest, and what it is a digest of, so that the signature serves for nothing else."""
    return f"cuvee release {digest}".encode("ascii")


def written(public_key: str, signature: str) -> str:
    """The content of `signature.json`: both as lower hexadecimal, in one form only."""
    return json.dumps({"public_key": public_key, "signature": signature}) + "\n"


def signer_of(raw: bytes, digest: str) -> str:
    """The public key, as hexadecimal, that the signature file *raw* names and that has signed release *digest*.

    Raises:
        ReleaseError: *raw* is no signature, or one of something else.
    """
    found = _FORM.fullmatch(raw.decode("ascii", "replace"))
    try:
        if found is None:
            raise ValueError("not of the one form")
        check(found[1], found[2], signed_message(digest))
    except ValueError as error:
        raise ReleaseError(
            f"release: {SIGNATURE_FILE} does not sign this release. Publish the release again where the key is."
        ) from error
    return found[1]


def check(public_key: str, signature: str, message: bytes) -> None:
    """Is *signature* that of *message* by *public_key*, both as hexadecimal.

    Raises:
        ValueError: it is not, or the key is none.
    """
    from cryptography.exceptions import InvalidSignature  # late, as below: 9 MB that only what is signed needs
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except InvalidSignature as error:
        raise ValueError("a signature of something else") from error


@dataclass(frozen=True)
class Trust:
    """The public keys, as hexadecimal, of which one must have signed a release; none: no signature is asked for."""

    keys: frozenset[str] = frozenset()

    @classmethod
    def configured(cls) -> "Trust":
        """The keys of `CUVEE_TRUSTED_KEYS`, one PEM block each; none where it is not set.

        Raises:
            ConfigError: the file cannot be read, or there is anything but ed25519 public keys.
        """
        try:
            text = pem_of(TRUSTED_VARIABLE)
            keys = frozenset(_key(block) for block in _PEM.findall(text or b""))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{TRUSTED_VARIABLE} cannot be read: {error}. {_EXPECTED}") from error
        if text is not None and not keys:
            raise ConfigError(f"{TRUSTED_VARIABLE} holds no public key. {_EXPECTED}")
        return cls(keys)

    def accepts(self, signer: str | None) -> bool:
        """True if *signer* is trusted; False where nobody needs to be.

        Raises:
            ReleaseError: keys are configured, and *signer* is none of them.
        """
        if not self.keys:
            return False
        if signer is None:
            raise ReleaseError("release: it is not signed, and this server asks for a signature. Publish it signed.")
        if signer not in self.keys:
            raise ReleaseError(
                f"release: it is signed by key {signer[:16]}…, which is not trusted here. Publish it with a trusted "
                f"key, or add that key to the file of {TRUSTED_VARIABLE}."
            )
        return True


def pem_of(variable: str) -> bytes | None:
    """The PEM text that the environment's *variable* is, or that the file holds which it names; None if it is not set.

    Raises:
        OSError: the file cannot be read.
    """
    value = os.environ.get(variable)
    if not value:
        return None
    return value.encode() if value.lstrip().startswith("-----BEGIN") else Path(value).read_bytes()


_EXPECTED = "Expected ed25519 public keys as PEM, as `openssl pkey -pubout` writes them."


def _key(block: bytes) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(block)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"found a {type(key).__name__}")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
