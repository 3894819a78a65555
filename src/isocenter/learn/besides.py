"""A test put beside the network of a border, within its file: its strangeness is then the higher of both.

What a network of 40 × 40 pixels cannot see, plain numbers of an image may tell (`likely`, `detail`). They are handed to
the file under a name of their own, and each such test comes into it once, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Step", "with_test"]

Step = tuple[str, Sequence[str], Mapping[str, Any]]
"""An operator of ONNX, what it takes ("" for what the step before gave, or what is asked for), and its attributes."""


def with_test(
    border: bytes, asks: str, wide: int | None, numbers: Mapping[str, npt.NDArray[Any]], steps: Sequence[Step]
) -> bytes:
    """The file of a border that also asks for some numbers of each image.

    Args:
        asks: name of what is asked for. wide: how many numbers of each image, or None for a single one.
        numbers: that the steps take, by name.
        steps: one after the other; the last gives (n,) strangeness.

    Raises:
        Refused: it asks for it already.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(border)
    graph = model.graph
    if any(one.name == asks for one in graph.input):
        raise Refused(f"a border that asks for {asks}", "it cannot ask for them twice", "begin from the one before")
    before, given = f"without.{asks}", asks
    for node in graph.node:
        node.output[:] = [before if name == "strangeness" else name for name in node.output]
    for name, value in numbers.items():
        kept = value if value.dtype.kind == "i" else value.astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(kept, f"{asks}.{name}"))
    for k, (operator, takes, how) in enumerate(steps):
        named = [f"{asks}.{name}" if name else given for name in takes]
        given = f"{asks}.step{k}"
        graph.node.append(helper.make_node(operator, named, [given], **how))
    graph.node.append(helper.make_node("Max", [before, given], ["strangeness"]))
    shape = ["n"] if wide is None else ["n", wide]
    graph.input.append(helper.make_tensor_value_info(asks, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
