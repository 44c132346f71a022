"""A release is taken whole or not at all: whatever is done to it, the one before keeps answering and says so."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from key_pairs import key_pair, point, trust
from small_release import TASKS, fusion, small_release

from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from components.deploy.publish import add, promote, publish
from serving.blend import Fusion
from serving.current import RELEASES, current_digest
from serving.follower import Follower, last_good
from serving.health import health
from serving.instances import parse
from serving.live import Live
from serving.release import MANIFEST_FILE, Facts, write_manifest
from serving.signature import SIGNATURE_FILE, TRUSTED_VARIABLE
from serving.smoke import alike

FLIPS = 200
ASKED = [parse({"scenario": "recommend", "k": 5}), parse({"scenario": "search", "query": "garden"})]


@pytest.fixture(scope="session")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shop, another blend: another digest."""
    return small_release(tmp_path_factory.mktemp("other"), lead=2.0)


@pytest.fixture
def signed_store(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose release is signed by the key that the server asks for."""
    trust(monkeypatch, key_pair(tmp_path))
    publish(release, tmp_path / "store")
    return tmp_path / "store"


class Serving:
    """A follower of a store, and what it has handed over."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.now = last_good(store, lambda release: Live.load(release, store, "release"))
        self.follower = Follower(store, self.now, self._take)

    def _take(self, live: Live) -> None:
        self.now = live

    def shown(self, digest: str) -> Live:
        """What answers after `current` has been made to name *digest*."""
        point(self.store, digest)
        self.follower.look()
        return self.now


def resealed(release: Path, copy: Path, change: Callable[[Path], object]) -> Path:
    """A changed copy of *release* whose manifest vouches for the change."""
    shutil.copytree(release, copy)
    change(copy)
    manifest = read_json(copy / MANIFEST_FILE)
    write_manifest(copy, Facts(**{name: manifest[name] for name in Facts.model_fields}))
    return copy


def damaged(folder: Path) -> Iterator[str]:
    """Do every kind of damage to the release in *folder*, one after the other, and mend it; yields what was done."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    draw = np.random.default_rng(0)
    for number in range(max(FLIPS, 5 * len(paths))):
        path = paths[number % len(paths)]
        whole = path.read_bytes()
        at, bit = int(draw.integers(len(whole))), 1 << int(draw.integers(8))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        yield f"{path}: bit {bit} of byte {at}"
        path.write_bytes(whole)
    for path in paths:
        whole = path.read_bytes()
        for changed in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"\n"):
            path.write_bytes(changed)
            yield f"{path}: {len(changed)} bytes of {len(whole)}"
        path.unlink()
        yield f"{path}: missing"
        path.write_bytes(whole)
        extra = path.with_name(f"more_{path.name}")
        extra.write_bytes(whole)
        yield f"{extra}: extra"
        extra.unlink()


def test_whatever_is_done_to_a_release_is_refused_while_the_one_before_answers(
    signed_store: Path, other_release: Path
) -> None:
    serving = Serving(signed_store)
    first, before = serving.now.digest, serving.now.answer(ASKED)
    digest = add(other_release, signed_store)
    folder = signed_store / RELEASES / digest
    assert {SIGNATURE_FILE, MANIFEST_FILE} < {path.name for path in folder.iterdir()}
    with pytest.MonkeyPatch.context() as nothing:
        nothing.setattr(Fusion, "load", None)  # nothing of it may even be loaded
        for done in damaged(folder):
            live = serving.shown(digest)
            assert (live.digest, live.refused, live.engine.degraded) == (first, digest, ("release",)), done
    for answer, then in zip(serving.now.answer(ASKED), before, strict=True):
        assert answer["items"] == then["items"]
        assert answer["degraded"] == ["release"]
    assert serving.shown(digest).digest == digest  # whole again
    assert serving.now.engine.degraded == ()
    assert serving.now.signed


@pytest.mark.parametrize("case", ["unsigned", "another key", "of another release"])
def test_what_no_trusted_key_has_signed_is_refused(
    case: str, signed_store: Path, release: Path, other_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Serving(signed_store)
    first = serving.now.digest
    digest = add(other_release, signed_store)
    signature = signed_store / RELEASES / digest / SIGNATURE_FILE
    if case == "unsigned":
        signature.unlink()
    elif case == "of another release":
        shutil.copyfile(signed_store / RELEASES / first / SIGNATURE_FILE, signature)
    else:
        monkeypatch.setenv(TRUSTED_VARIABLE, str(key_pair(tmp_path, 2).public))
    with pytest.raises(ReleaseError, match=r"sign|trusted"):
        promote(signed_store, digest)  # nor does a publisher who asks for the key
    assert serving.shown(digest).digest == first
    assert serving.now.refused == digest
    assert health(serving.now) == {
        "release": first, "signed": True, "refused": digest, "degraded": ["release"], "whole": False,
    }  # fmt: skip


def test_a_laptop_without_keys_serves_what_is_not_signed_and_says_so(release: Path, tmp_path: Path) -> None:
    digest = publish(release, tmp_path)
    live = Serving(tmp_path).now
    assert health(live) == {"release": digest, "signed": False, "refused": None, "degraded": [], "whole": True}


def test_a_release_published_unsigned_is_signed_when_it_is_published_again(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = publish(release, tmp_path)
    trust(monkeypatch, key_pair(tmp_path))
    assert publish(release, tmp_path) == digest
    assert Serving(tmp_path).now.signed


def less(smoke: dict[str, list[list[list[object]]]]) -> None:
    smoke["items"][0][0][1] = 0.5 * float(str(smoke["items"][0][0][1]))
    smoke["items"][0][1][1] = 0.5 * float(str(smoke["items"][0][1][1]))


def others(smoke: dict[str, list[list[list[object]]]]) -> None:
    smoke["items"][0][0][0] = smoke["items"][0][1][0] = "of another shop"


@pytest.mark.parametrize("change", [less, others])
def test_a_release_that_answers_otherwise_than_when_it_was_packaged_is_refused(
    change: Callable[[object], None], signed_store: Path, other_release: Path, tmp_path: Path
) -> None:
    def plant(copy: Path) -> None:
        smoke = read_json(copy / "smoke.json")
        change(smoke)
        write_json(copy / "smoke.json", smoke)

    serving = Serving(signed_store)
    first = serving.now.digest
    digest = add(resealed(other_release, tmp_path / "planted", plant), signed_store)
    assert serving.shown(digest).digest == first
    assert serving.now.refused == digest
    with pytest.raises(ReleaseError, match=r"smoke request 0 \(recommend\) is answered otherwise"):
        Live.load(signed_store / RELEASES / digest, signed_store, "release")


def test_a_blend_exchanged_after_packaging_is_refused(release: Path, tmp_path: Path) -> None:
    exchanged = resealed(release, tmp_path / "new", lambda copy: fusion(-1.0, TASKS).save(copy / "fusion.json"))
    with pytest.raises(ReleaseError, match="is answered otherwise"):
        Live.load(exchanged, tmp_path, "release")


def test_alike_is_all_but_one_item_at_their_scores() -> None:
    then = [("a", 5.0), ("b", 4.0), ("c", 3.0), ("d", 2.0), ("e", 1.0)]
    assert alike(then, then)
    assert alike([("b", 4.04), ("a", 4.96), *then[2:4], ("f", 1.0)], then)
    assert not alike([*then[:3], ("f", 2.0), ("g", 1.0)], then)
    assert not alike([("a", 5.1), ("b", 4.1), *then[2:]], then)
    assert not alike([*then[:2], ("f", 3.0)], then[:3])  # of few items each counts
    assert alike([("a", 0.0), ("b", 0.0), ("c", 0.0), ("x", 0.0), ("y", 0.0)], then, loose=True)
    assert not alike([("a", 5.0), ("b", 4.0), ("x", 3.0), ("y", 2.0), ("z", 1.0)], then, loose=True)


def test_where_only_the_blend_changed_members_and_features_are_taken_over(
    signed_store: Path, other_release: Path
) -> None:
    serving = Serving(signed_store)
    first = serving.now
    publish(other_release, signed_store)
    serving.follower.look()
    second = serving.now
    assert second.digest != first.digest
    assert all(second.engine.members[name] is member for name, member in first.engine.members.items())
    assert second.features is first.features
    fresh = Live.load(signed_store / RELEASES / second.digest, signed_store, "release")
    assert fresh.engine.members["item_knn"] is not first.engine.members["item_knn"]
    plain = [{name: value for name, value in answer.items() if name != "request_id"} for answer in fresh.answer(ASKED)]
    for answer, then in zip(second.answer(ASKED), plain, strict=True):
        assert {name: value for name, value in answer.items() if name != "request_id"} == then


def test_where_a_member_changed_all_is_loaded_anew(signed_store: Path, release: Path, tmp_path: Path) -> None:
    def change(copy: Path) -> None:
        member = next((copy / "members").glob("popularity/*.json"))
        member.write_text(json.dumps(read_json(member), indent=7))

    serving = Serving(signed_store)
    first = serving.now
    publish(resealed(release, tmp_path / "changed", change), signed_store)
    serving.follower.look()
    assert serving.now.digest != first.digest
    assert serving.now.engine.members["item_knn"] is not first.engine.members["item_knn"]
    assert serving.now.features is not first.features


def test_a_server_that_starts_on_a_damaged_release_serves_the_one_before(
    signed_store: Path, release: Path, other_release: Path, tmp_path: Path
) -> None:
    first = verify_name(signed_store)
    tried = add(
        resealed(release, tmp_path / "tried", lambda copy: (copy / "shop.json").write_text("{}\n")), signed_store
    )
    second = publish(other_release, signed_store)
    (signed_store / RELEASES / second / "fusion.json").write_text("{}")
    serving = Serving(signed_store)
    assert (serving.now.digest, serving.now.refused) == (first, second)
    assert tried != first  # what was only tried is nobody's way back
    assert serving.now.following(None).engine.degraded == ("release",)
    serving.follower.look()
    assert serving.now.digest == first
    publish(other_release, signed_store)
    serving.follower.look()
    assert (serving.now.digest, serving.now.engine.degraded) == (second, ())


def verify_name(store: Path) -> str:
    digest = current_digest(store)
    assert digest is not None
    return digest


def test_a_store_of_which_nothing_can_be_taken_gives_the_first_reason(signed_store: Path, other_release: Path) -> None:
    for digest in (verify_name(signed_store), publish(other_release, signed_store)):
        (signed_store / RELEASES / digest / "fusion.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"fusion\.json is not the file"):
        Serving(signed_store)


def test_what_a_look_meets_does_not_end_the_looking(signed_store: Path, other_release: Path) -> None:
    taken: list[Live] = []

    def take(live: Live) -> None:
        taken.append(live)
        if len(taken) == 1:
            raise RuntimeError("planted")

    first = Serving(signed_store).now
    follower = Follower(signed_store, first, take, period_s=0.01)
    follower.start()
    second = publish(other_release, signed_store)
    for wanted in (first.digest, second):
        promote(signed_store, wanted)
        for _ in range(500):
            if taken and taken[-1].digest == wanted:
                break
            follower.join(0.02)
    follower.stop()
    follower.join()
    assert [live.digest for live in taken][-1] == second
