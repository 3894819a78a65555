"""An ONNX file as a torch network, so that gradients of its whole answer can be taken: networks and support vectors.

The file holds what answers in the clinic; the network that it came from has given its norms away to its convolutions.
Known are the operations that the files of this house are made of. What comes out is proved to answer as ONNX does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import Refused
from isocenter.learn.cascade import behind

__all__ = ["Differentiable"]

_APART = 1e-2  # of the larger of 1 and the value: gradients do not need more
Attributes = Mapping[str, Any]


def _conv(told: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    around = told.get("pads", [0] * 2 * (x.ndim - 2))
    half = len(around) // 2
    x = functional.pad(x, [n for k in reversed(range(half)) for n in (around[k], around[half + k])])
    one = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[half]
    done: Tensor = one(x, weight, bias, told.get("strides", 1), 0, told.get("dilations", 1), told.get("group", 1))
    return done


def _pooled(mean: bool) -> Callable[..., Tensor]:
    def pool(told: Attributes, x: Tensor) -> Tensor:
        side, step, up = told["kernel_shape"], told.get("strides"), bool(told.get("ceil_mode", 0))
        around = told.get("pads", [0] * 2 * len(side))[: len(side)]
        if mean:
            one: Any = functional.avg_pool2d if len(side) == 2 else functional.avg_pool3d
            return one(x, side, step, around, up, bool(told.get("count_include_pad", 0)))
        other: Any = functional.max_pool2d if len(side) == 2 else functional.max_pool3d
        return other(x, side, step, around, 1, up)

    return pool


def _gemm(told: Attributes, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a, b = (a.T if told.get("transA") else a), (b.T if told.get("transB") else b)
    made = told.get("alpha", 1.0) * (a @ b)
    return made if c is None else made + told.get("beta", 1.0) * c


def _padded(told: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    half = len(pads) // 2
    each = [int(n) for k in reversed(range(half)) for n in (pads[k], pads[half + k])]
    mode = {"edge": "replicate"}.get(told.get("mode", b"constant").decode(), told.get("mode", b"constant").decode())
    if mode == "constant":
        return functional.pad(x, each, value=0.0 if value is None else float(value))
    return functional.pad(x, each[: 2 * (x.ndim - 2)], mode=mode)


def _reduced(how: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(told: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        over = tuple(range(x.ndim)) if axes is None else tuple(int(a) for a in axes)
        return how(x, over, keepdim=bool(told.get("keepdims", 1)))

    return reduce


def _reshaped(_: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[k] if int(n) == 0 else int(n) for k, n in enumerate(shape)])


def _sliced(
    _: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        axis = int(axes[k]) if axes is not None else k
        which = range(x.shape[axis])[slice(start, end if abs(end) < 2**31 else None, int(steps[k]) if steps is not None
                                           else 1)]  # fmt: skip
        x = x.index_select(axis, torch.tensor(list(which), dtype=torch.int64))
    return x


def _resized(told: Attributes, x: Tensor, _roi: Any, _scales: Any, sizes: Tensor) -> Tensor:
    mode = {"cubic": "bicubic", "linear": "bilinear"}[told["mode"].decode()]
    return functional.interpolate(x, [int(n) for n in sizes[2:]], mode=mode, align_corners=False)


def _filled(told: Attributes, shape: Tensor) -> Tensor:
    value = told["value"]
    return torch.full([int(n) for n in shape], value.item(), dtype=value.dtype)


def _cast(told: Attributes, x: Tensor) -> Tensor:
    return x.to({1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}[told["to"]])


_OPERATIONS: Mapping[str, Callable[..., Tensor]] = {
    "Add": lambda _, a, b: a + b, "Sub": lambda _, a, b: a - b, "Mul": lambda _, a, b: a * b,
    "Div": lambda _, a, b: torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc"),
    "Pow": lambda _, a, b: a**b, "Sqrt": lambda _, a: a.sqrt(), "Exp": lambda _, a: a.exp(),
    "Relu": lambda _, a: torch.relu(a), "Identity": lambda _, a: a, "MatMul": lambda _, a, b: a @ b,
    "Clip": lambda _, a, low=None, high=None: a.clamp(low, high), "Concat": lambda told, *a: torch.cat(a, told["axis"]),
    "Constant": lambda told: told["value"], "ConstantOfShape": _filled, "Cast": _cast,
    "Shape": lambda _, a: torch.tensor(a.shape), "Flatten": lambda told, a: a.flatten(told.get("axis", 1)),
    "Transpose": lambda told, a: a.permute(*told["perm"]), "Reshape": _reshaped, "Slice": _sliced,
    "Unsqueeze": lambda _, a, axes: a.reshape(_with_ones(a.shape, axes.tolist())), "Conv": _conv, "Gemm": _gemm,
    "AveragePool": _pooled(True), "MaxPool": _pooled(False), "Pad": _padded, "Resize": _resized,
    "ReduceMean": _reduced(torch.mean), "ReduceSum": _reduced(torch.sum),
}  # fmt: skip


def _with_ones(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    whole, left = len(shape) + len(axes), list(shape)
    ones = {a % whole for a in axes}
    return [1 if k in ones else left.pop(0) for k in range(whole)]


def _is_of_places(x: Tensor, axes: Tensor | None, image: Tensor) -> bool:
    """Whether a mean is that of a feature map over its places: not of the image, and not over channels."""
    over = [] if axes is None else sorted(int(a) % x.ndim for a in axes)
    return x.ndim == image.ndim and over == list(range(2, x.ndim)) and x.shape[1] > image.shape[1]


class Differentiable(nn.Module):  # type: ignore[misc]
    """Images (n, channels, …grid) → one output of an ONNX file, with gradients.

    Args:
        data: bytes of the file. output: its name.

    Raises:
        Refused: the file uses an operation that is not known here.
    """

    def __init__(self, data: bytes, output: str = "logits") -> None:
        import onnx
        from onnx import helper, numpy_helper

        super().__init__()
        graph = onnx.load_model_from_string(data).graph
        nodes = behind(graph, (output,))[::-1]
        if unknown := sorted({node.op_type for node in nodes} - set(_OPERATIONS)):
            raise Refused(
                f"gradients of a file with the operation {unknown[0]}", "only those of our own networks are known",
                "take the method occlusion, which asks the file alone",
            )  # fmt: skip

        def plain(one: Any) -> Any:
            value = helper.get_attribute_value(one)
            if one.type == onnx.AttributeProto.TENSOR:
                return torch.from_numpy(np.array(numpy_helper.to_array(value)))
            return list(value) if one.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value

        self.output = output
        self.known = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in graph.initializer}
        self.steps = [
            (node.op_type, list(node.input), list(node.output), {a.name: plain(a) for a in node.attribute})
            for node in nodes
        ]

    def forward(self, image: Tensor) -> Tensor:
        answer: Tensor = self._worked_out(image)[self.output]
        return answer

    def with_places(self, image: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor, tuple[int, ...]]]]:
        """The output, and every feature map (n, channels, …coarser grid) of which a mean is taken, with that and with
        the axes along which its network saw the image turned round. Not every mean has to do with the output."""
        held, turned, found = (
            self._worked_out(image),
            dict[str, frozenset[int]](),
            dict[str, tuple[str, tuple[int, ...]]](),
        )
        for kind, given, made, _ in self.steps:
            axes = frozenset[int]()
            for name in given:
                axes = axes | turned.get(name, frozenset())
            if kind == "Slice" and len(given) > 4 and given[0] in {"image", *turned}:
                steps = zip(held[given[3]].tolist(), held[given[4]].tolist(), strict=True)
                axes = axes ^ {int(a) % image.ndim for a, step in steps if step < 0}
            if "image" in given or any(name in turned for name in given):
                turned[made[0]] = axes
            if kind == "ReduceMean" and _is_of_places(held[given[0]], held[given[1]] if given[1:] else None, image):
                found[made[0]] = given[0], tuple(sorted(axes))
        return held[self.output], [(held[name], held[mean], axes) for mean, (name, axes) in found.items()]

    def _worked_out(self, image: Tensor) -> dict[str, Any]:
        held: dict[str, Any] = {**self.known, "image": image, "": None}
        for kind, given, made, told in self.steps:
            held[made[0]] = _OPERATIONS[kind](told, *(held[name] for name in given))
        return held

    def must_answer_as(self, session: Any, images: np.ndarray[Any, Any]) -> None:
        """Hold it against the session of the same file.

        Raises:
            Refused: they differ.
        """
        with torch.inference_mode():
            mine = self(torch.from_numpy(images)).numpy()
        (said,) = session.run([self.output], {"image": images})
        off = float(np.max(np.abs(mine - said) / np.maximum(1.0, np.abs(said))))
        if not off <= _APART:
            raise Refused(f"gradients of a file whose {self.output} torch gives otherwise, by {off:.2g}",
                          "they would be those of another model", "take the method occlusion")  # fmt: skip
