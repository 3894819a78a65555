"""A test put beside the network of a border, within its file: its strangeness is then the higher of both.

What a network of 40 × 40 pixels cannot see, plain numbers of an image may tell (`likely`, `detail`, `extent`). They
are handed to the file under a name of their own, and each such test comes into it once, in any order; two may ask for
the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Step", "with_test", "without_test"]

Step = tuple[str, Sequence[str], Mapping[str, Any]]
"""An operator of ONNX, what it takes ("" for what the step before gave, or what is asked for), and its attributes."""


def with_test(
    border: bytes, asks: str, wide: int | None, numbers: Mapping[str, npt.NDArray[Any]], steps: Sequence[Step],
    *, name: str | None = None,
) -> bytes:  # fmt: skip
    """The file of a border that also asks for some numbers of each image.

    Args:
        asks: name of what is asked for. wide: how many numbers of each image, or None for a single one.
        numbers: that the steps take, by name.
        name: of the test; that of what is asked for without one.
        steps: one after the other; the last gives (n,) strangeness.

    Raises:
        Refused: it asks for it already.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(border)
    graph = model.graph
    test = name or asks
    before, given = f"without.{test}", asks
    if any(before in node.output for node in graph.node):
        raise Refused(f"a border that asks for {test}", "it cannot ask for them twice", "begin from the one before")
    for node in graph.node:
        node.output[:] = [before if one == "strangeness" else one for one in node.output]
    for called, value in numbers.items():
        kept = value if value.dtype.kind == "i" else value.astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(kept, f"{test}.{called}"))
    for k, (operator, takes, how) in enumerate(steps):
        named = [f"{test}.{one}" if one else given for one in takes]
        given = f"{test}.step{k}"
        graph.node.append(helper.make_node(operator, named, [given], **how))
    graph.node.append(helper.make_node("Max", [before, given], ["strangeness"]))
    shape = ["n"] if wide is None else ["n", wide]
    if all(one.name != asks for one in graph.input):
        graph.input.append(helper.make_tensor_value_info(asks, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def without_test(border: bytes, name: str) -> bytes:
    """The file of a border without one of its tests; as it is where it has no such test."""
    import onnx

    model = onnx.load_model_from_string(border)
    graph = model.graph
    own = {one for node in graph.node for one in node.output if one.startswith(f"{name}.")}
    joins = next((node for node in graph.node if own & set(node.input) and not own & set(node.output)), None)
    if joins is None:
        return border
    (before,), (whole,) = [one for one in joins.input if one not in own], joins.output
    kept = [node for node in graph.node if node is not joins and not own & set(node.output)]
    for node in kept:
        node.output[:] = [whole if one == before else one for one in node.output]
    taken = {one for node in kept for one in node.input}
    for some, left in (
        (graph.node, kept), (graph.initializer, [one for one in graph.initializer if one.name in taken]),
        (graph.input, [one for one in graph.input if one.name in taken]),
    ):  # fmt: skip
        left = [type(one).FromString(one.SerializeToString()) for one in left]
        del some[:]
        some.extend(left)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
