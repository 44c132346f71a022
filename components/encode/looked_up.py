"""A model whose table of words is kept in 8 bits: look the words up first and widen those, not the whole table.

An encoder kept as 8-bit weights multiplies each with the scale of its row before anything else. ONNX Runtime does that
once, when it loads the model, and keeps what comes out: for a table of 30,000 words 47 MB instead of 12, in every
worker. A lookup takes a few rows as they are, so it may come first: the same numbers, multiplied the same way.
"""

import onnx
from onnx import GraphProto, NodeProto


def looked_up(model: bytes) -> bytes:
    """The *model* with `Gather(Mul(Cast(table), scales), ids)` as `Mul(Cast(Gather(table)), Gather(scales))`.

    Only where table and scales, one for each row, are stored in the model, and nothing else reads what is widened.
    Everything else stays; a model without such a table comes back as it is, byte for byte.
    """
    loaded = onnx.load_model_from_string(model)
    gathers = [node for node in loaded.graph.node if node.op_type == "Gather"]
    moved = [_move(loaded.graph, gather) for gather in gathers]
    return loaded.SerializeToString() if any(moved) else model


def _move(graph: GraphProto, gather: NodeProto) -> bool:
    """Put *gather* before the widening of its table; False: there is none, or it may not."""
    scaled = _read_once(graph, gather.input[0], "Mul")
    cast = _read_once(graph, scaled.input[0], "Cast") if scaled is not None else None
    if scaled is None or cast is None or any(one.name == "axis" and one.i != 0 for one in gather.attribute):
        return False
    table, scales, ids, told = cast.input[0], scaled.input[1], gather.input[1], gather.output[0]
    if not _fit(graph, table, scales):
        return False
    rows, wide, one_each = (f"{told}_{part}" for part in ("rows", "wide", "scales"))
    instead = [
        onnx.helper.make_node("Gather", [table, ids], [rows]),
        onnx.helper.make_node("Cast", [rows], [wide], to=cast.attribute[0].i),
        onnx.helper.make_node("Gather", [scales, ids], [one_each]),
        onnx.helper.make_node("Mul", [wide, one_each], [told]),
    ]
    gone = {told, cast.output[0], scaled.output[0]}
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    kept = [[node] if node.output[0] not in gone else instead if node.output[0] == told else [] for node in nodes]
    del graph.node[:]
    graph.node.extend(node for part in kept for node in part)
    return True


def _read_once(graph: GraphProto, name: str, kind: str) -> NodeProto | None:
    """The node of this *kind* that makes *name*, if one node alone reads that."""
    readers = sum(list(node.input).count(name) for node in graph.node)
    made = [node for node in graph.node if name in node.output and node.op_type == kind]
    told = any(output.name == name for output in graph.output)
    return made[0] if made and readers == 1 and not told else None


def _fit(graph: GraphProto, table: str, scales: str) -> bool:
    """Are both stored in the model, with one scale for each row of the table."""
    known = {one.name: tuple(one.dims) for one in graph.initializer}
    return known.get(scales) == (*known.get(table, (0,))[:1], 1) and len(known[table]) == 2
