"""An ONNX file with its weights made random, layer after layer from the answer back to the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isocenter.errors import Refused

__all__ = ["behind", "cascade", "session_of"]


def session_of(data: bytes, outputs: Sequence[str] = ()) -> Any:
    """A session of one thread on the bytes of an ONNX file.

    Args:
        outputs: all that is worked out when it is asked; what else the file would tell costs as much, though unasked.
    """
    import onnxruntime as ort

    if outputs:
        import onnx

        whole = onnx.load_model_from_string(data)
        kept = behind(whole.graph, outputs)[::-1]
        told = [o for o in whole.graph.output if o.name in outputs]
        whole.graph.ClearField("node")
        whole.graph.node.extend(kept)
        whole.graph.ClearField("output")
        whole.graph.output.extend(told)
        data = whole.SerializeToString()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def cascade(
    data: bytes, *, rng: np.random.Generator, levels: int = 3, outputs: Sequence[str] = (), left: Sequence[str] = ()
) -> list[bytes]:
    """ONNX files of the same graph in which more and more weights are drawn anew, the last with all of them.

    Each array is drawn from a normal distribution about zero with its own spread: as large as before, nothing learnt.

    Args:
        data: bytes of the ONNX file. levels: how many files.
        outputs: only weights that these are made from; all where none is named. A file may hold other networks, too.
        left: names of arrays that nobody learnt, such as a veil, which stay as they are.

    Raises:
        Refused: when it cannot be read, keeps weights outside itself, has no such output, or fewer layers than levels.
    """
    import onnx
    from onnx import numpy_helper

    try:
        whole = onnx.load_model_from_string(data)
    except Exception as bad:
        raise Refused("bytes that are no ONNX", str(bad)[:120], "give the file of a model") from bad
    held: dict[str, Any] = {t.name: t for t in whole.graph.initializer}
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in held.values()):
        raise Refused("weights outside the file", "they are not what the digest of the file names", "export it whole")
    named = [n for node in behind(whole.graph, outputs) for n in node.input if n in held]
    layers = [n for n in dict.fromkeys(named) if n not in left and _learnt(held[n])]
    if not 1 <= levels <= len(layers):
        raise Refused(
            f"{levels} levels",
            f"the file has {len(layers)} arrays of weights",
            "take the file of weights that was written with this form",
        )
    made, done = [], 0
    for level in range(1, levels + 1):
        upto = round(len(layers) * level / levels)
        for name in layers[done:upto]:
            values = numpy_helper.to_array(held[name])
            drawn = rng.normal(0.0, float(values.std()), values.shape).astype(values.dtype)
            held[name].CopyFrom(numpy_helper.from_array(drawn, name))
        done = upto
        made.append(whole.SerializeToString())
    return made


def behind(graph: Any, outputs: Sequence[str]) -> list[Any]:
    """Nodes from the answer back to the image, of those that the outputs are made from."""
    wanted = set(outputs or [o.name for o in graph.output])
    if unknown := wanted - {o.name for o in graph.output}:
        raise Refused(
            f"no output '{sorted(unknown)[0]}'",
            f"there are {', '.join(o.name for o in graph.output)}",
            "name one of these",
        )
    found = []
    for node in reversed(graph.node):  # ONNX keeps them in the order in which they can be worked out
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.append(node)
    return found


def _learnt(tensor: Any) -> bool:
    """Whether an array holds weights: real numbers, more than one, and not all alike."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        return False
    values = numpy_helper.to_array(tensor)
    return values.size > 1 and float(np.ptp(values)) > 0
