"""Key pairs as openssl writes them, and the settings of a publisher and a server that use them."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from components.deploy.signing import KEY_VARIABLE, Signer
from serving.current import POINTER
from serving.signature import TRUSTED_VARIABLE


@dataclass(frozen=True)
class KeyPair:
    """Files of a private and of a public key."""

    private: Path
    public: Path


def key_pair(folder: Path, seed: int = 1) -> KeyPair:
    """The pair that follows from *seed*."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    pair = KeyPair(folder / f"signing{seed}.pem", folder / f"public{seed}.pem")
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pair.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return pair


def trust(monkeypatch: pytest.MonkeyPatch, pair: KeyPair) -> None:
    """Publish with the pair's private key, and ask for its signature."""
    monkeypatch.setenv(KEY_VARIABLE, str(pair.private))
    monkeypatch.setenv(TRUSTED_VARIABLE, str(pair.public))


def point(store: Path, digest: str) -> None:
    """Make `current` name *digest*, signed if there is a key, without looking at the release."""
    signer = Signer.configured()
    (store / POINTER).unlink(missing_ok=True)  # a file of its own, with a time of its own
    text = f"{digest}\n" if signer is None else signer.pointer(digest, time.time_ns() // 1000, "")
    (store / POINTER).write_text(text)
