"""The sequence member's arithmetic on a tower small enough to check by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

from components.common.errors import ReleaseError
from serving.catalogue import Catalogue
from serving.members.sequence import Sequence, visit_ages, windows
from serving.onnx import session
from serving.queries import BUNDLE, RECOMMEND, Queries
from serving.states import UserStates

CATALOGUE = Catalogue(pd.DataFrame({"item_id": ["a", "b", "c", "d"]}))
VECTORS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
BIAS = np.array([0.5, 0, 0, np.nan], dtype=np.float32)


def constants() -> list[TensorProto]:
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    return [axis, helper.make_tensor("none", TensorProto.FLOAT, [], [0])]


def summing_tower() -> onnx.ModelProto:
    """user = sum of the history's vectors; ages are taken and ignored but for their sum times zero."""
    nodes = [
        helper.make_node("ReduceSum", ["history", "axis"], ["summed"], keepdims=0),
        helper.make_node("ReduceSum", ["ages", "axis"], ["total"], keepdims=1),
        helper.make_node("Cast", ["total"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "none"], ["nothing"]),
        helper.make_node("Add", ["summed", "nothing"], ["user"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tower",
        [
            helper.make_tensor_value_info("history", TensorProto.FLOAT, ["n", "l", 2]),
            helper.make_tensor_value_info("ages", TensorProto.INT32, ["n", "l"]),
        ],
        [helper.make_tensor_value_info("user", TensorProto.FLOAT, ["n", 2])],
        [
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("none", TensorProto.FLOAT, [], [0]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(summing_tower(), str(tmp_path / "user.onnx"))
    np.save(tmp_path / "items.npy", VECTORS)
    np.save(tmp_path / "bias.npy", BIAS)
    (tmp_path / "member.json").write_text(json.dumps({"kind": "sequence", "length": 2, "embedding_size": 2}))
    return tmp_path


def states() -> UserStates:
    """Three users: a, b, c on days 1, 2, 2; nobody; d alone, of which nothing is known."""
    rows = [
        {"item_ids": ["a", "b", "c"], "last_at": [1, 2, 2], "first_at": [1, 2, 2], "counts": [1, 1, 1]},
        None,
        {"item_ids": ["d"], "last_at": [5], "first_at": [5], "counts": [1]},
    ]
    return UserStates.from_rows(["x", "y", "z"], rows, np.array([9, 9, 9]), CATALOGUE)


def test_scores_are_user_times_item_plus_bias_of_the_newest_items(folder: Path) -> None:
    scores = Sequence.load(folder, CATALOGUE).score_all(Queries(RECOMMEND, states()))
    nan = np.nan  # the two newest of x are b (0, 1) and c (1, 1): user (1, 2)
    np.testing.assert_array_equal(scores, [[1.5, 2, 3, nan], [nan] * 4, [nan] * 4])
    assert scores.dtype == np.float32


def test_a_basket_is_a_pretend_history(folder: Path) -> None:
    anchors = UserStates.from_items([[0, 1], [0]], as_of=9)
    scores = Sequence.load(folder, CATALOGUE).score_all(Queries(BUNDLE, anchors))
    np.testing.assert_array_equal(scores[:, :3], [[1.5, 1, 2], [1.5, 0, 1]])


def test_windows_are_right_aligned_and_keep_the_newest() -> None:
    items, ages = windows(states(), 2)
    assert items.tolist() == [[1, 2], [-1, -1], [-1, 3]]
    assert ages.tolist() == [[0, 0], [-1, -1], [-1, 0]]
    items, ages = windows(states(), 50)
    assert items.shape == ages.shape == (3, 50)
    assert items[:, -3:].tolist() == [[0, 1, 2], [-1, -1, -1], [-1, -1, 3]]
    assert ages[:, -3:].tolist() == [[1, 0, 0], [-1, -1, -1], [-1, -1, 0]]
    assert (items[:, :-3] == -1).all()


def test_windows_of_nobody() -> None:
    empty = UserStates.from_rows([], [], np.empty(0, np.int64), CATALOGUE)
    assert windows(empty, 5)[0].shape[0] == 0


def test_visit_ages_count_the_visits_present() -> None:
    visits = np.array([[-1, 3, 3, 7, 9], [-1, -1, -1, -1, -1]], dtype=np.int32)
    assert visit_ages(visits).tolist() == [[-1, 2, 2, 1, 0], [-1] * 5]


def test_visit_ages_are_those_of_user_states() -> None:
    rng = np.random.default_rng(3)
    for size in range(1, 9):
        visits = np.sort(rng.integers(0, 5, size)).astype(np.int32)
        row = {"item_ids": list("abcdefgh"[:size]), "last_at": visits, "first_at": visits, "counts": np.ones(size)}
        catalogue = Catalogue(pd.DataFrame({"item_id": list("abcdefgh")}))
        state = UserStates.from_rows(["x"], [row], np.array([9]), catalogue)
        assert visit_ages(visits[None])[0].tolist() == state.age.tolist()


def test_arrays_of_another_catalogue_are_refused(folder: Path) -> None:
    with pytest.raises(ReleaseError, match="expected"):
        Sequence.load(folder, Catalogue(pd.DataFrame({"item_id": ["a"]})))


def test_objects_in_arrays_are_refused(folder: Path) -> None:
    np.save(folder / "items.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        Sequence.load(folder, CATALOGUE)


def test_data_outside_the_file_is_refused(tmp_path: Path) -> None:
    model = summing_tower()
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.int64), "axis"))
    path = tmp_path / "outside.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    with pytest.raises(ReleaseError, match="keeps data in another file"):
        session(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "user.onnx").write_bytes(content)
    with pytest.raises(ReleaseError, match="not an ONNX model"):
        session(tmp_path / "user.onnx")


def test_links_and_absent_files_are_refused(folder: Path) -> None:
    (folder / "soft.onnx").symlink_to(folder / "user.onnx")
    for name in ("soft.onnx", "absent.onnx"):
        with pytest.raises(ReleaseError, match="plain ONNX file"):
            session(folder / name)
    (folder / "hard.onnx").hardlink_to(folder / "user.onnx")
    with pytest.raises(ReleaseError, match="plain ONNX file"):
        session(folder / "hard.onnx")


def test_one_thread(folder: Path) -> None:
    assert session(folder / "user.onnx").get_session_options().intra_op_num_threads == 1


def test_serving_it_needs_no_tensorflow(folder: Path) -> None:
    import subprocess

    code = (
        "import sys, pandas as pd; from pathlib import Path; from serving.catalogue import Catalogue;"
        "from serving.members.sequence import Sequence;"
        f"Sequence.load(Path({str(folder)!r}), Catalogue(pd.DataFrame({{'item_id': list('abcd')}})));"
        "sys.exit(sum(name in sys.modules for name in ('tensorflow', 'torch', 'keras', 'kfp', 'onnx')))"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
