"""Personal ids never reach the disk: they are replaced by keyed pseudonyms at the door."""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import numpy as np
import pandas as pd

from components.common.errors import ConfigError

KEY_VARIABLE = "CUVEE_ID_KEY"
KEY_FILE = "id.key"
SHORTEST_KEY = 16  # bytes
PSEUDONYM_LENGTH = 32  # hex characters: 128 bits


def pseudonym(user_id: str, key: bytes) -> str:
    """The name *user_id* goes by inside Cuvee: 32 hex characters of HMAC-SHA256 under *key*."""
    return hmac.new(key, user_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]


def pseudonymise(user_ids: pd.Series, key: bytes) -> pd.Series:
    """Replace every id of *user_ids* (str or None); each distinct id is hashed once, null stays null."""
    codes, distinct = pd.factorize(user_ids, use_na_sentinel=True)
    names = np.array([*(pseudonym(str(user_id), key) for user_id in distinct), None], dtype=object)
    return pd.Series(names[codes], index=user_ids.index, name=user_ids.name, dtype=object)


def id_key(store: Path | None) -> bytes:
    """The key of the pseudonyms: `CUVEE_ID_KEY`, else the store's own `id.key`, made at first use (mode 0600).

    Raises:
        ConfigError: the key is too short, unreadable, or there is neither a variable nor a store.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        return _long_enough(given.encode("utf-8"), f"the variable {KEY_VARIABLE}")
    if store is None:
        raise ConfigError(f"No key for user ids: set {KEY_VARIABLE} or name a store folder that may hold {KEY_FILE}.")
    path = store / KEY_FILE
    try:
        if not path.exists():
            _create(path)
        return _long_enough(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read or made: {error}. Check the store's permissions.") from error


def _long_enough(key: bytes, where: str) -> bytes:
    if len(key) < SHORTEST_KEY:
        raise ConfigError(f"{where} holds {len(key)} bytes; expected at least {SHORTEST_KEY}. Use a random key.")
    return key


def _create(path: Path) -> None:
    """Write a random key so that of several processes exactly one wins and none reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(secrets.token_hex(32) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
