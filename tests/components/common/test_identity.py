"""Pseudonyms are keyed, stable and the same one by one and by column; the key is made once and kept private."""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from components.common.errors import ConfigError
from components.common.identity import KEY_VARIABLE, id_key, pseudonym, pseudonymise

KEY = b"0123456789abcdef"


def test_a_pseudonym_is_the_first_half_of_hmac_sha256() -> None:
    assert pseudonym("208", KEY) == hmac.new(KEY, b"208", hashlib.sha256).hexdigest()[:32]
    assert pseudonym("208", KEY) != pseudonym("208", KEY[::-1])


def test_a_column_gives_what_single_ids_give_and_null_stays_null() -> None:
    ids = pd.Series(["208", None, "顾客", "208"], index=[3, 1, 4, 5], name="user_id")
    hidden = pseudonymise(ids, KEY)
    assert hidden.tolist() == [pseudonym("208", KEY), None, pseudonym("顾客", KEY), pseudonym("208", KEY)]
    assert list(hidden.index) == [3, 1, 4, 5]


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    first = id_key(tmp_path / "store")
    assert id_key(tmp_path / "store") == first
    assert len(first) == 64
    assert (tmp_path / "store" / "id.key").stat().st_mode & 0o777 == 0o600
    assert id_key(tmp_path / "other") != first


def test_many_at_once_agree_on_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(id_key, [tmp_path / "store"] * 32))
    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["id.key"]


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a-key-from-a-secret")
    assert id_key(tmp_path / "store") == b"a-key-from-a-secret"
    assert not (tmp_path / "store").exists()


def test_a_short_key_or_none_at_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(ConfigError, match="5 bytes; expected at least 16"):
        id_key(tmp_path)
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(ConfigError, match=KEY_VARIABLE):
        id_key(None)
    (tmp_path / "id.key").write_text("")
    with pytest.raises(ConfigError, match="0 bytes"):
        id_key(tmp_path)
