"""`current` is moved by whoever can sign, forward and back; whoever can only write moves no server back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from key_pairs import key_pair
from small_release import small_release

from components.common.errors import ReleaseError
from components.deploy.publish import publish, rollback
from components.deploy.signing import KEY_VARIABLE, Signer
from serving.current import POINTER, RELEASES, SERVED
from serving.follower import Follower, last_good
from serving.health import health
from serving.live import Live
from serving.pointer import Pointer, Seen
from serving.signature import TRUSTED_VARIABLE, Trust

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("other"), lead=2.0)


@pytest.fixture
def moved(tmp_path: Path, signer: Signer, release: Path, other_release: Path) -> tuple[Path, str, str, str]:
    """A store after two releases: the store, the older digest, the newer one, and the older pointer's whole content."""
    store = tmp_path / "store"
    old = publish(release, store)
    pointer = (store / POINTER).read_text()
    return store, old, publish(other_release, store), pointer


class Serving:
    """A server of a store: what it has seen, and what it answers from."""

    def __init__(self, store: Path, seen: Seen | None = None) -> None:
        self.store, seen = store, seen or Seen()
        self.now = last_good(store, lambda folder: Live.load(folder, store, "release"), seen)
        self.follower = Follower(store, self.now, self._take, seen=seen)

    def _take(self, live: Live) -> None:
        self.now = live

    def shown(self, pointer: str) -> Live:
        """What answers after somebody has written *pointer*."""
        (self.store / POINTER).unlink()
        (self.store / POINTER).write_text(pointer)
        return self.look()

    def look(self) -> Live:
        self.follower.look()
        return self.now


def put(store: Path, text: str) -> Pointer | None:
    (store / POINTER).write_text(text)
    return Pointer.read(store)


def test_a_signed_pointer_reads_as_it_was_written(signer: Signer, tmp_path: Path) -> None:
    assert put(tmp_path, signer.pointer(NEW, 7, OLD)) == Pointer(NEW, 7, OLD, signer.public_key)
    assert put(tmp_path, signer.pointer(NEW, 7, "")) == Pointer(NEW, 7, "", signer.public_key)
    assert put(tmp_path, f"{NEW}\n") == Pointer(NEW)


def test_no_bit_of_a_signed_pointer_may_differ(signer: Signer, tmp_path: Path) -> None:
    raw = signer.pointer(NEW, 7, OLD).encode()
    whole = put(tmp_path, raw.decode())
    for at in range(len(raw)):
        for bit in range(7):  # of ASCII
            text = (raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]).decode()
            try:
                assert put(tmp_path, text) != whole
                assert text.split("\n")[0] == NEW, (
                    "another digest was taken"
                )  # only a broken line end reads as unsigned
            except ReleaseError:
                continue
            raise AssertionError(f"byte {at}, bit {bit}: {text!r} was read")


def test_numbers_only_grow_and_one_number_is_of_one_release(signer: Signer) -> None:
    seen, trusted = Seen(), Trust.configured()
    seen.note(Pointer(NEW, 7, OLD, signer.public_key))
    seen.check(Pointer(NEW, 7, OLD, signer.public_key), trusted)
    seen.check(Pointer(OLD, 8, NEW, signer.public_key), trusted)
    for pointer in (Pointer(OLD, 6, "", signer.public_key), Pointer(OLD, 7, "", signer.public_key)):
        with pytest.raises(ReleaseError, match=r"it was put back: found number [67] .* expected 7 or more"):
            seen.check(pointer, trusted)
    with pytest.raises(ReleaseError, match="nobody has signed"):
        seen.check(Pointer(NEW), trusted)
    with pytest.raises(ReleaseError, match="not trusted here"):
        seen.check(Pointer(NEW, 9, OLD, "0" * 64), trusted)
    seen.check(Pointer(NEW), Trust())  # a laptop


def forged(store: Path, old: str, pointer: str, _tmp: Path) -> str:
    return pointer


def unsigned(store: Path, old: str, pointer: str, _tmp: Path) -> str:
    return f"{old}\n"


def grafted(store: Path, old: str, pointer: str, _tmp: Path) -> str:
    """The newer pointer's signature under the older digest."""
    return f"{old}\n" + (store / POINTER).read_text().partition("\n")[2]


def strange(store: Path, old: str, pointer: str, tmp: Path) -> str:
    """By a key of the attacker's own, with the highest number there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, str(key_pair(tmp, 2).private))
        own = Signer.configured()
    assert own is not None
    return own.pointer(old, 10**18 - 1, "")


@pytest.mark.parametrize("attack", [forged, unsigned, grafted, strange])
def test_who_cannot_sign_moves_no_server_back(
    attack: Callable[[Path, str, str, Path], str], moved: tuple[Path, str, str, str], tmp_path: Path
) -> None:
    store, old, new, pointer = moved
    serving = Serving(store)
    assert serving.now.digest == new
    planted = attack(store, old, pointer, tmp_path)
    live = serving.shown(planted)
    assert (live.digest, live.engine.degraded) == (new, ("release",))
    assert health(live)["whole"] is False
    assert serving.look().digest == new
    assert rollback(store, old) == old  # who can sign goes back, past what was planted
    assert (serving.look().digest, serving.now.engine.degraded) == (old, ())
    assert rollback(store, new) == new
    assert (serving.look().digest, serving.now.engine.degraded) == (new, ())


def test_a_pointer_that_was_left_by_going_back_is_not_followed_either(moved: tuple[Path, str, str, str]) -> None:
    store, old, new, _ = moved
    left = (store / POINTER).read_text()
    serving = Serving(store)
    assert rollback(store) == old
    assert serving.look().digest == old
    live = serving.shown(left)
    assert (live.digest, live.refused) == (old, new)


def test_what_happened_between_two_looks_counts(moved: tuple[Path, str, str, str]) -> None:
    store, old, new, _ = moved
    serving = Serving(store)
    rollback(store)
    between = (store / POINTER).read_text()
    rollback(store, new)
    assert serving.look().digest == new  # as before, by a higher number
    live = serving.shown(between)
    assert (live.digest, live.refused) == (new, old)


def test_a_restart_remembers_where_it_is_told_to(moved: tuple[Path, str, str, str], tmp_path: Path) -> None:
    store, old, new, pointer = moved
    file = tmp_path / "seen"
    Serving(store, Seen(file))
    (store / POINTER).write_text(pointer)
    serving = Serving(store, Seen(file))
    assert (serving.now.digest, serving.now.refused) == (new, old)  # what this server followed stands in
    assert serving.look().digest == new
    assert Serving(store).now.digest == old  # without a memory an old pointer is as good as any
    file.write_text("nonsense")
    with pytest.raises(ReleaseError, match="found no number and digest"):
        Seen(file)


def test_workers_share_what_they_have_followed(moved: tuple[Path, str, str, str], tmp_path: Path) -> None:
    store, old, new, first = moved
    second, file = (store / POINTER).read_text(), tmp_path / "seen"
    rollback(store)
    third = (store / POINTER).read_text()
    (store / POINTER).write_text(first)
    slow = Serving(store, Seen(file))
    (store / POINTER).write_text(third)
    assert Serving(store, Seen(file)).now.digest == old
    live = slow.shown(second)  # higher than what this worker has followed, lower than what the other one has
    assert (live.digest, live.refused) == (old, new)


def test_a_damaged_release_is_stood_in_for_by_what_the_signature_names_and_by_nothing_else(
    moved: tuple[Path, str, str, str],
) -> None:
    store, old, new, _ = moved
    pointer = Pointer.read(store)
    assert pointer is not None
    assert pointer.before == old
    (store / RELEASES / new / "fusion.json").write_text("{}")
    (store / SERVED).unlink()
    assert (Serving(store).now.digest, Serving(store).now.refused) == (old, new)
    (store / POINTER).write_text(f"{new}\n")
    (store / SERVED).write_text(f"{old}\n{new}\n")
    with pytest.raises(ReleaseError, match="nobody has signed"):
        Serving(store)


def test_who_has_no_key_is_told_so_and_nothing_changes(
    moved: tuple[Path, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, *_ = moved
    before = (store / POINTER).read_text()
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(ReleaseError, match=f"no trusted key here to sign with. Set {KEY_VARIABLE}"):
        rollback(store)
    assert (store / POINTER).read_text() == before
    monkeypatch.delenv(TRUSTED_VARIABLE)
    rollback(store)  # a laptop


def test_a_clock_that_was_set_back_costs_no_change(signer: Signer, release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    digest = publish(release, store)
    ahead = 2 * 10**17
    (store / POINTER).write_text(signer.pointer(digest, ahead, ""))
    publish(release, store)
    pointer = Pointer.read(store)
    assert pointer is not None
    assert pointer.number == ahead + 1
