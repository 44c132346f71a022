"""Does an ONNX file point at data outside itself? A walk over the protobuf bytes, without the onnx package."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 64
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of TensorProto

# message -> field number -> message it holds (onnx.proto); every way to reach a TensorProto
HOLDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}


def points_outside(model: bytes) -> bool:
    """Is any tensor of *model* (dense, sparse, in a subgraph or a function) stored in another file?

    Raises:
        ValueError: the bytes are not an ONNX model with a graph.
    """
    data = memoryview(model)
    if not any(number == 7 and isinstance(value, memoryview) for number, value in _fields(data)):
        raise ValueError("no graph")
    return _walk(data, "Model", 0)


def _walk(data: memoryview, message: str, depth: int) -> bool:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    inner = HOLDS[message]
    for number, value in _fields(data):
        if message == "Tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)):
            return True
        if number in inner:
            if not isinstance(value, memoryview):
                raise ValueError("wrong wire type")
            if _walk(value, inner[number], depth + 1):
                return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message's bytes; a value is an int or the bytes of a length-delimited field."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == BYTES:
            size, at = _varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if number == 0 or at + size > len(data):
            raise ValueError("cut short")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("cut short")
