"""Words are looked up in the table as it is stored: the same numbers, and nothing else of a model changes."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.encode.looked_up import looked_up
from components.encode.packages import MODEL_PACKAGE, package_folder
from serving.encoder import MODEL_FILE

TABLE = np.array([[1, -2], [3, 4], [-5, 6]], dtype=np.int8)
SCALES = np.array([[0.5], [0.1], [0.25]], dtype=np.float32)
IDS = np.array([[2, 0, 2]], dtype=np.int64)
WIDEN = [helper.make_node("Cast", ["table"], ["wide"], to=TensorProto.FLOAT),
         helper.make_node("Mul", ["wide", "scales"], ["words"])]  # fmt: skip
LOOK = helper.make_node("Gather", ["words", "ids"], ["found"])


def model(nodes: Sequence[onnx.NodeProto], scales: np.ndarray = SCALES, told: Sequence[str] = ("found",)) -> bytes:
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, None]) for name in told]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [None, None])
    stored = [numpy_helper.from_array(TABLE, "table"), numpy_helper.from_array(scales, "scales")]
    graph = helper.make_graph([*WIDEN, *nodes], "words", [ids], outputs, stored)
    made: bytes = helper.make_model(
        graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)]
    ).SerializeToString()
    return made


def answer(content: bytes, ids: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    asked = {"attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    found: list[np.ndarray] = session.run(None, {port.name: asked.get(port.name, ids) for port in session.get_inputs()})
    return found


def test_by_hand() -> None:
    before = model([LOOK])
    after = looked_up(before)
    onnx.checker.check_model(onnx.load_model_from_string(after))
    assert [node.op_type for node in onnx.load_model_from_string(after).graph.node] == [
        "Gather",
        "Cast",
        "Gather",
        "Mul",
    ]
    assert (
        answer(after, IDS)[0].tolist() == answer(before, IDS)[0].tolist() == [[[-1.25, 1.5], [0.5, -1.0], [-1.25, 1.5]]]
    )


def test_what_comes_after_the_lookup_stays_in_its_place() -> None:
    twice = helper.make_node("Add", ["found", "found"], ["twice"])
    before = model([LOOK, twice], told=("twice",))
    assert looked_up(before) != before
    assert answer(looked_up(before), IDS)[0].tolist() == answer(before, IDS)[0].tolist()


@pytest.mark.parametrize(
    "left",
    [
        model([LOOK], np.array([0.5, 0.25], dtype=np.float32)),  # a scale for each column
        model([helper.make_node("Gather", ["words", "ids"], ["found"], axis=1)]),
        model([LOOK, helper.make_node("Gather", ["words", "ids"], ["again"])], told=("found", "again")),
        model([LOOK], told=("found", "words")),
        model([helper.make_node("Gather", ["wide", "ids"], ["found"])]),
    ],
    ids=["scales of columns", "another axis", "read twice", "told", "no scales"],
)
def test_everything_else_stays_byte_for_byte(left: bytes) -> None:
    assert looked_up(left) == left


def test_the_packaged_encoder_says_the_same_to_the_bit() -> None:
    packaged = (package_folder(MODEL_PACKAGE) / MODEL_FILE).read_bytes()
    kept, ids = looked_up(packaged), np.array([[101, 2417, 6007, 102]], dtype=np.int64)
    assert kept != packaged
    assert answer(kept, ids)[0].tobytes() == answer(packaged, ids)[0].tobytes()
