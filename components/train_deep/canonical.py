"""One graph, one file: the exporter's order and names depend on what it exported before, so both are made anew."""

import hashlib
from itertools import count
from typing import Any

import onnx

Signatures = dict[str, str]


def canonical(model: onnx.ModelProto, output: str) -> bytes:
    """The bytes of *model* with nodes, constants and names in an order that follows from the computation alone.

    Args:
        model: its inputs keep their names; it has one output.
        output: the name of that output.
    """
    graph = model.graph
    inputs = {value.name: value.name for value in graph.input}
    _order(graph, dict(inputs))
    _rename(graph, inputs | {graph.output[0].name: output}, count())
    graph.name, graph.doc_string = output, ""
    for value in (*graph.input, *graph.output):
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if not size.dim_value:
                size.dim_param = f"{value.name}_{axis}"
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _order(graph: onnx.GraphProto, known: Signatures) -> Signatures:
    """Sort constants and nodes by what they compute; returns the signature of every value."""
    for tensor in graph.initializer:
        known[tensor.name] = _digest(onnx.numpy_helper.to_array(tensor).tobytes().hex(), str(tensor.dims))
    depth = dict.fromkeys(known, 0)
    keys: dict[str, tuple[int, str]] = {}
    for node in graph.node:
        sign = _digest(node.op_type, *_attributes(node, known), *(known[name] for name in node.input if name))
        level = 1 + max((depth[name] for name in node.input if name), default=0)
        keys[node.output[0]] = (level, sign)
        for number, name in enumerate(node.output):
            known[name], depth[name] = f"{sign}:{number}", level
    _replace(graph.initializer, sorted(graph.initializer, key=lambda tensor: known[tensor.name]))
    _replace(graph.node, sorted(graph.node, key=lambda node: keys[node.output[0]]))
    return known


def _attributes(node: onnx.NodeProto, known: Signatures) -> list[str]:
    parts = []
    for attribute in sorted(node.attribute, key=lambda attribute: attribute.name):
        if attribute.HasField("g"):
            arguments = {value.name: f"argument {number}" for number, value in enumerate(attribute.g.input)}
            inner = _order(attribute.g, known | arguments)
            parts += [inner[value.name] for value in attribute.g.output]
        elif attribute.HasField("t"):
            parts.append(onnx.numpy_helper.to_array(attribute.t).tobytes().hex())
        else:
            parts.append(attribute.SerializeToString(deterministic=True).hex())
    return parts


def _rename(graph: onnx.GraphProto, names: dict[str, str], numbers: "count[int]") -> None:
    for value in (*graph.input, *graph.initializer):
        names.setdefault(value.name, f"v{next(numbers)}")
        value.name = names[value.name]
    for node in graph.node:
        node.name = f"n{next(numbers)}"
        for attribute in node.attribute:
            if attribute.HasField("g"):
                attribute.g.name = f"g{next(numbers)}"
                _rename(attribute.g, dict(names), numbers)
            if attribute.HasField("t"):
                attribute.t.name = ""
        for name in node.output:
            names.setdefault(name, f"v{next(numbers)}" if name else "")
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in graph.output:
        value.name = names[value.name]
    del graph.value_info[:]


def _replace(field: Any, values: list[Any]) -> None:
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
