"""A signature names one release and one key; anything else is refused."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from key_pairs import key_pair, trust

from components.common.errors import ConfigError, ReleaseError
from components.deploy.signing import KEY_VARIABLE, Signer
from serving.signature import TRUSTED_VARIABLE, Trust, signer_of

DIGEST, OTHER = "a" * 64, "b" * 64
# RFC 8032, section 7.1, test 1: the public key of this private key
SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def test_the_key_is_the_one_of_the_standard() -> None:
    assert Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET))).public_key == PUBLIC


def test_a_signature_names_its_key_and_is_of_one_release(signer: Signer) -> None:
    raw = signer.signature(DIGEST).encode()
    assert signer_of(raw, DIGEST) == signer.public_key
    assert Trust.configured().accepts(signer.public_key)
    with pytest.raises(ReleaseError, match="does not sign this release"):
        signer_of(raw, OTHER)


def test_every_flip_of_a_bit_is_refused(signer: Signer) -> None:
    raw = signer.signature(DIGEST).encode()
    for at in range(len(raw)):
        for bit in range(8):
            with pytest.raises(ReleaseError, match="does not sign this release"):
                signer_of(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :], DIGEST)


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b"null", b'{"public_key": "", "signature": ""}\n'])
def test_what_is_no_signature_is_refused(raw: bytes) -> None:
    with pytest.raises(ReleaseError, match="does not sign this release"):
        signer_of(raw, DIGEST)


def test_who_is_not_trusted_and_who_has_not_signed_is_refused(signer: Signer, tmp_path: Path) -> None:
    trusted = Trust.configured()
    with pytest.raises(ReleaseError, match="not signed"):
        trusted.accepts(None)
    with pytest.raises(ReleaseError, match=f"key {PUBLIC[:16]}…, which is not trusted here"):
        trusted.accepts(PUBLIC)


def test_a_file_may_hold_the_old_key_and_the_new(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(
        key_pair(tmp_path).public.read_bytes() + b"# the new one\n" + key_pair(tmp_path, 2).public.read_bytes()
    )
    monkeypatch.setenv(TRUSTED_VARIABLE, str(both))
    trusted = Trust.configured()
    assert len(trusted.keys) == 2
    assert trusted.accepts(signer.public_key)


def test_keys_may_stand_in_the_variables_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = key_pair(tmp_path)
    monkeypatch.setenv(TRUSTED_VARIABLE, pair.public.read_text())
    monkeypatch.setenv(KEY_VARIABLE, pair.private.read_text())
    made = Signer.configured()
    assert made is not None
    assert Trust.configured().accepts(made.public_key)


def test_without_keys_nothing_is_asked_and_nothing_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUSTED_VARIABLE, raising=False)
    assert not Trust.configured().accepts(None)
    assert not Trust.configured().accepts(PUBLIC)


def test_settings_that_name_no_key_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, wrong = key_pair(tmp_path), tmp_path / "wrong.pem"
    curve = generate_private_key(SECP256R1()).public_key()
    for content in (
        b"",
        b"no key",
        pair.private.read_bytes(),
        curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        wrong.write_bytes(content)
        trust(monkeypatch, type(pair)(pair.private, wrong))
        with pytest.raises(ConfigError, match=TRUSTED_VARIABLE):
            Trust.configured()
    for private in (tmp_path / "nowhere.pem", pair.public):
        trust(monkeypatch, type(pair)(private, pair.public))
        with pytest.raises(ConfigError, match=KEY_VARIABLE):
            Signer.configured()
