"""Signing a release; the private key is read here and nowhere else."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from components.common.errors import ConfigError
from serving import pointer
from serving.signature import pem_of, signed_message, written

KEY_VARIABLE = "CUVEE_SIGNING_KEY"


class Signer:
    """Signs releases with one private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @classmethod
    def configured(cls) -> "Signer | None":
        """With the key of `CUVEE_SIGNING_KEY`: PEM, or a file that holds it; None where it is not set.

        Raises:
            ConfigError: the file cannot be read, or it is no unencrypted ed25519 private key.
        """
        try:
            text = pem_of(KEY_VARIABLE)
            key = None if text is None else load_pem_private_key(text, None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{KEY_VARIABLE} cannot be read as a private key. {_REMEDY}") from error
        if key is None:
            return None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{KEY_VARIABLE} holds a {type(key).__name__}. {_REMEDY}")
        return cls(key)

    def signature(self, digest: str) -> str:
        """The content of `signature.json` for release *digest*."""
        return written(self.public_key, self._key.sign(signed_message(digest)).hex())

    def pointer(self, digest: str, number: int, before: str) -> str:
        """The content of `current` that names release *digest* with *number*; *before* may stand in for it."""
        signed = self._key.sign(pointer.pointer_message(digest, number, before)).hex()
        return pointer.written(digest, number, before, self.public_key, signed)


_REMEDY = "Expected an ed25519 key as PEM: openssl genpkey -algorithm ed25519 -out signing.pem."
