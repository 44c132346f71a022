import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from components.common.errors import ReleaseError
from serving import release
from serving.external_data import points_outside
from serving.release import MANIFEST_FILE, Facts, verify, write_manifest

FACTS = Facts(
    protocol="temporal",
    seed=7,
    effort="fast",
    as_of=1_000,
    trained_until=900,
    tasks=("discovery",),
    members=("als",),
    items=3,
)


def model(external: str = "") -> bytes:
    """`y = x + w`; *external* says where w lies: '', 'initializer', 'constant', 'sparse', 'subgraph' or 'function'."""
    inside = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../../etc/passwd")
    add = helper.make_node("Add", ["x", "w"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([add], "g", ends[:1], ends[1:], [outside if external == "initializer" else inside])
    constant = helper.make_node("Constant", [], ["c"], value=outside)
    if external == "constant":
        graph.node.append(constant)
    if external == "subgraph":
        branch = helper.make_graph([constant], "b", [], ends[1:])
        graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))
    if external == "sparse":
        graph.sparse_initializer.add(values=outside)
    made = helper.make_model(graph)
    if external == "function":
        made.functions.append(helper.make_function("local", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)]))
    return bytes(made.SerializeToString())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "release"
    (made / "members" / "als").mkdir(parents=True)
    np.save(made / "members" / "als" / "items.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    (made / "members" / "als" / "member.json").write_text('{"kind": "factors"}')
    (made / "fusion.json").write_text('{"schema_version": 1}')
    (made / "encoder").mkdir()
    (made / "encoder" / "model.onnx").write_bytes(model())
    write_manifest(made, FACTS)
    return made


def test_a_whole_release_is_accepted_and_says_what_it_is(folder: Path) -> None:
    manifest = verify(folder)
    assert manifest.release == json.loads((folder / MANIFEST_FILE).read_text())["release"]
    assert sorted(manifest.files) == [
        "encoder/model.onnx",
        "fusion.json",
        "members/als/items.npy",
        "members/als/member.json",
    ]
    assert manifest.files["fusion.json"].bytes == 21
    assert (manifest.as_of, manifest.trained_until, manifest.seed) == (1_000, 900, 7)


def test_the_same_inputs_give_the_same_digest_and_other_inputs_another(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    first = verify(folder).release
    assert write_manifest(copy, FACTS).release == first
    assert write_manifest(copy, FACTS.model_copy(update={"seed": 8})).release != first
    (copy / "fusion.json").write_text('{"schema_version": 2}')
    assert write_manifest(copy, FACTS).release != first


def test_every_single_byte_flip_is_refused(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    draw = np.random.default_rng(0)
    for number in range(400):
        path = files[number % len(files)]
        whole = path.read_bytes()
        at, bit = int(draw.integers(len(whole))), 1 << int(draw.integers(8))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        with pytest.raises(ReleaseError):
            verify(folder)
        path.write_bytes(whole)
    verify(folder)


def test_every_truncation_and_extension_is_refused(folder: Path) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        for changed in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"\n", whole + b"\0"):
            path.write_bytes(changed)
            with pytest.raises(ReleaseError, match=path.name):
                verify(folder)
        path.write_bytes(whole)
    verify(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(ReleaseError, match=r"missing|holds no file"):
            verify(folder)
        path.write_bytes(whole)


def test_an_extra_file_is_refused(folder: Path) -> None:
    (folder / "members" / "als" / "more.npy").write_bytes(b"x")
    with pytest.raises(ReleaseError, match=r"members/als/more\.npy is not in the manifest"):
        verify(folder)


@pytest.mark.parametrize("name", ["run.py", "model.pkl", ".hidden.json", "weights.data", "a b.json", "é.json"])
def test_a_file_of_a_kind_that_no_release_holds_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(ReleaseError, match="kind that no release holds"):
        verify(folder)
    with pytest.raises(ReleaseError, match="kind that no release holds"):
        write_manifest(folder, FACTS)


def test_an_empty_folder_is_refused(folder: Path) -> None:
    (folder / "members" / "ghost").mkdir()
    with pytest.raises(ReleaseError, match="members/ghost holds no file"):
        verify(folder)


def test_a_symlink_to_the_very_same_bytes_is_refused(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "fusion.json"
    shutil.move(folder / "fusion.json", elsewhere)
    (folder / "fusion.json").symlink_to(elsewhere)
    with pytest.raises(ReleaseError, match=r"fusion\.json is missing or a link"):
        verify(folder)


def test_a_symlinked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "encoder", tmp_path / "encoder")
    (folder / "encoder").symlink_to(tmp_path / "encoder")
    with pytest.raises(ReleaseError, match="encoder is a link"):
        verify(folder)


def test_a_hardlink_is_refused(folder: Path, tmp_path: Path) -> None:
    os.link(folder / "fusion.json", tmp_path / "other.json")
    with pytest.raises(ReleaseError, match="is a link or not a regular file"):
        verify(folder)


def test_a_pipe_is_refused_without_waiting(folder: Path) -> None:
    (folder / "fusion.json").unlink()
    os.mkfifo(folder / "fusion.json")
    with pytest.raises(ReleaseError, match="not a regular file"):
        verify(folder)


def forge(folder: Path, **changes: object) -> None:
    """Write a manifest that is canonical and agrees with its digest, yet says something else."""
    content = json.loads((folder / MANIFEST_FILE).read_text()) | changes
    content.pop("release")
    content["release"] = release._digest(content)
    (folder / MANIFEST_FILE).write_text(release._canonical(content))


@pytest.mark.parametrize("path", ["../secret.json", "/etc/passwd", "members/../../secret.json", "a\\b.json"])
def test_a_path_out_of_the_release_is_refused(folder: Path, path: str) -> None:
    (folder.parent / "secret.json").write_text("{}")
    files = json.loads((folder / MANIFEST_FILE).read_text())["files"]
    forge(folder, files=files | {path: {"sha256": "0" * 64, "bytes": 2}})
    with pytest.raises(ReleaseError):
        verify(folder)


def test_another_schema_version_says_what_to_do(folder: Path) -> None:
    forge(folder, schema_version=2)
    with pytest.raises(ReleaseError, match=r"schema version '2', this server reads 1\. Package"):
        verify(folder)


@pytest.mark.parametrize("change", [{"schema_version": "1"}, {"more": 1}, {"files": []}, {"seed": None}])
def test_a_manifest_of_another_shape_is_refused(folder: Path, change: dict[str, object]) -> None:
    forge(folder, **change)
    with pytest.raises(ReleaseError):
        verify(folder)


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b"{", b"[" * 100_000, b'{"schema_version": 1}'])
def test_a_manifest_that_is_no_manifest_is_refused(folder: Path, raw: bytes) -> None:
    (folder / MANIFEST_FILE).write_bytes(raw)
    with pytest.raises(ReleaseError, match=MANIFEST_FILE):
        verify(folder)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError):
        verify(tmp_path / "nowhere")


def test_too_large_a_file_is_refused_before_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "MAX_FILE_BYTES", 20)
    with pytest.raises(ReleaseError, match="is larger than"):
        verify(folder)


def test_messages_hold_neither_digests_nor_absolute_paths(folder: Path) -> None:
    (folder / "fusion.json").write_text('{"schema_version": 9}')
    with pytest.raises(ReleaseError) as refused:
        verify(folder)
    assert str(refused.value) == (
        "release: fusion.json is not the file that was packaged. "
        "Publish the release again from its run, or roll back to another one."
    )


@pytest.mark.parametrize("external", ["initializer", "constant", "sparse", "subgraph", "function"])
def test_onnx_with_data_elsewhere_is_refused(folder: Path, external: str) -> None:
    (folder / "encoder" / "model.onnx").write_bytes(model(external))
    with pytest.raises(ReleaseError, match=r"encoder/model\.onnx keeps data in another file"):
        write_manifest(folder, FACTS)


def test_onnx_with_its_own_data_is_accepted_and_damaged_onnx_is_not() -> None:
    whole = model()
    onnx.checker.check_model(onnx.load_from_string(whole))
    assert not points_outside(whole)
    for damaged in (b"", whole[:-3], b"\x3a\xff\xff\xff\xff\x7f", b"not a model at all"):
        with pytest.raises(ValueError, match=r"\w"):
            points_outside(damaged)
