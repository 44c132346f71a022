"""`current` is absent or complete, whatever happens to the publisher."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from key_pairs import key_pair, trust

from components.common.errors import ReleaseError
from components.common.files import read_json
from components.deploy.publish import add, champion, promote, publish, rollback
from serving.current import POINTER, RELEASES, SERVED, by_age, served
from serving.release import MANIFEST_FILE, Facts, signer, verify, write_manifest
from serving.signature import Trust

# Publishers that are killed at their first, second, ... call to the file system, each a fork on a copy of the store;
# a copy is killed half way through the file. Ends, and prints the number of calls, when one gets through.
KILLED = """
import itertools, os, pathlib, shutil, signal, sys
from components.deploy.publish import publish
release, origin, stores = (pathlib.Path(argument) for argument in sys.argv[1:])
calls, last = itertools.count(1), 0
def counted(real, half=None):
    def call(*arguments, **options):
        if next(calls) == last:
            if half:
                half(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call
def half(source, target):
    content = pathlib.Path(source).read_bytes()
    pathlib.Path(target).write_bytes(content[: len(content) // 2])
def dies(store):
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    shutil.copyfile = counted(shutil.copyfile, half)
    for name in ("fsync", "rename", "replace", "utime", "mkdir", "rmdir", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    publish(release, store, keep=1)
    os._exit(0)
while True:
    last += 1
    store = stores / str(last)
    shutil.copytree(origin, store)
    if not dies(store):
        break
print(last)
"""


def variant(release: Path, folder: Path, seed: int) -> Path:
    """The same release but for one number, so another digest."""
    copy = shutil.copytree(release, folder / f"variant{seed}")
    manifest = read_json(copy / MANIFEST_FILE)
    write_manifest(copy, Facts(**{name: manifest[name] for name in Facts.model_fields} | {"seed": seed}))
    return copy


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_published_release_is_the_one_packaged_byte_for_byte(release: Path, tmp_path: Path) -> None:
    assert champion(tmp_path) is None
    digest = publish(release, tmp_path)
    published = champion(tmp_path)
    assert published == tmp_path / RELEASES / digest
    assert tree(published) == tree(release)
    assert (tmp_path / POINTER).read_text() == digest + "\n"


def test_publishing_twice_changes_nothing(release: Path, tmp_path: Path) -> None:
    assert publish(release, tmp_path) == publish(release, tmp_path)
    assert len(served(tmp_path)) == 1


def test_a_damaged_release_is_refused_and_nothing_changes(release: Path, other_release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    digest = publish(release, store)
    damaged = shutil.copytree(other_release, tmp_path / "damaged")
    (damaged / "shop.json").write_text("{}")
    before = tree(store)
    with pytest.raises(ReleaseError, match=r"shop\.json"):
        publish(damaged, store)
    assert tree(store) == before
    with pytest.raises(ReleaseError, match="holds no release"):
        promote(store, "0" * 64)
    (store / RELEASES / digest / "shop.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"shop\.json"):
        promote(store, digest)


def test_a_damaged_copy_is_replaced(release: Path, tmp_path: Path) -> None:
    digest = publish(release, tmp_path)
    (tmp_path / RELEASES / digest / "shop.json").unlink()
    assert publish(release, tmp_path) == digest
    assert verify(tmp_path / RELEASES / digest).release == digest


def test_files_beside_the_manifest_are_not_carried_along(release: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(release, tmp_path / "copy")
    (copy / "extra.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"extra\.json"):
        publish(copy, tmp_path / "store")


@pytest.mark.parametrize("pointer", ["", "../elsewhere", "A" * 64, "0" * 63])
def test_a_pointer_that_is_no_digest_is_an_error(release: Path, tmp_path: Path, pointer: str) -> None:
    publish(release, tmp_path)
    (tmp_path / POINTER).write_text(pointer)
    with pytest.raises(ReleaseError):
        champion(tmp_path)


def test_the_last_five_stay_and_the_current_one_always(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    digests = [publish(variant(release, tmp_path, seed), store) for seed in range(7)]
    assert served(store) == digests[:1:-1]
    rollback(store, digests[2])
    assert champion(store) == store / RELEASES / digests[2]
    extra = publish(variant(release, tmp_path, 7), store, keep=1)
    assert served(store) == [extra]


def test_rollback_goes_back_one_by_one_or_to_a_digest(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, second, third = (publish(variant(release, tmp_path, seed), store) for seed in range(3))
    assert rollback(store) == second
    assert rollback(store) == first
    with pytest.raises(ReleaseError, match="no release before"):
        rollback(store)
    assert rollback(store, third) == third
    with pytest.raises(ReleaseError):
        rollback(store, "../" + first)
    assert champion(store) == store / RELEASES / third
    with pytest.raises(ReleaseError):
        rollback(tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_a_release_published_again_is_the_latest(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    variants = [variant(release, tmp_path, seed) for seed in range(2)]
    first, second = (publish(one, store) for one in variants)
    publish(variants[0], store)
    assert served(store) == [first, second]


def test_a_disk_that_takes_no_writes_is_one_message(release: Path, tmp_path: Path) -> None:
    (tmp_path / RELEASES).mkdir()
    (tmp_path / ".publish.lock").mkdir()
    with pytest.raises(ReleaseError, match="cannot be written"):
        publish(release, tmp_path)
    assert champion(tmp_path) is None


def test_publishers_at_once_leave_every_release_whole(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    variants = [variant(release, tmp_path, seed) for seed in range(4)]
    threads = [threading.Thread(target=publish, args=(one, store)) for one in variants * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(served(store)) == 4
    assert all(verify(store / RELEASES / digest).release == digest for digest in served(store))
    assert champion(store) is not None


def test_the_way_back_leads_to_what_was_served_never_to_what_was_only_tried(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, refused, second = (variant(release, tmp_path, seed) for seed in range(3))
    old = publish(first, store)
    tried = add(refused, store)
    new = publish(second, store)
    assert served(store) == [new, old]
    assert rollback(store) == old
    assert rollback(store, tried) == tried  # by its name, whoever asks for it gets it
    assert served(store) == [tried, old]


def test_who_goes_on_from_an_older_release_does_not_go_back_to_the_one_left(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    good, bad, better = (variant(release, tmp_path, seed) for seed in range(3))
    old, left = publish(good, store), publish(bad, store)
    assert rollback(store) == old
    new = publish(better, store)
    assert served(store) == [new, old]
    assert rollback(store) == old
    assert rollback(store, left) == left


def test_a_store_from_before_it_was_noted_goes_back_by_age(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, second = (publish(variant(release, tmp_path, seed), store) for seed in range(2))
    (store / SERVED).unlink()
    assert served(store) == [second, first]
    assert rollback(store) == first


def test_candidates_are_kept_apart_from_what_was_served(release: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    tried = [add(variant(release, tmp_path, seed), store) for seed in range(3)]
    assert served(store) == []
    last = publish(variant(release, tmp_path, 3), store, keep=2)
    assert by_age(store) == [last, tried[2], tried[1]]


@pytest.mark.parametrize("before", ["nothing published", "another published, signed"])
def test_killed_at_any_step_current_is_absent_or_complete(
    before: str, release: Path, other_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before.endswith("signed"):
        trust(monkeypatch, key_pair(tmp_path))
    (tmp_path / "origin").mkdir()
    first = publish(release, tmp_path / "origin") if before != "nothing published" else None
    second = verify(other_release).release
    command = [sys.executable, "-c", KILLED, str(other_release), str(tmp_path / "origin"), str(tmp_path / "stores")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    points = int(done.stdout)
    assert points > 30, done.stderr
    found = [_served(tmp_path / "stores" / str(point)) for point in range(1, points + 1)]
    assert found[0] == first
    assert found[-1] == second
    assert set(found) == {first, second}
    for point in range(1, points, 4):
        store = tmp_path / "stores" / str(point)
        assert publish(other_release, store) == second == _served(store)
        assert not [name for name in os.listdir(store / RELEASES) if name.startswith(".")]


def _served(store: Path) -> str | None:
    now = champion(store)
    trusted = Trust.configured()
    for digest in served(store):
        release = store / RELEASES / digest
        assert verify(release).release == digest
        assert trusted.accepts(signer(release, digest)) == bool(trusted.keys)
    assert now is None or now.name in served(store)
    return now.name if now else None
