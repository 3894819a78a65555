"""Where a network descends: on the processor, or on an accelerator (a GPU) that torch finds.

Pictures are read, moved and drawn into on the processor, from one source of chance, so that the examples of a step are
the same wherever the network is. Where a tensor of the processor meets one of the accelerator it is brought there; thus
no recipe has to know where it runs. Only on the processor do the same seed and data give the same weights bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from isocenter.errors import Refused, Unavailable

__all__ = ["NAMES", "chosen", "current", "halved", "meeting", "products", "told"]

NAMES = ("cpu", "gpu")
_CURRENT: ContextVar[str] = ContextVar("isocenter_device", default="cpu")


_INDEXED = (torch.Tensor.__getitem__,)  # takes an index from the processor as it is


@contextmanager
def chosen(name: str) -> Iterator[str]:
    """Let what is trained within run there.

    Args:
        name: ``"cpu"``, or ``"gpu"`` for the accelerator that torch finds (CUDA, ROCm, XPU or MPS).

    Yields:
        torch's name of the device.

    Raises:
        Refused: another name. Unavailable: torch finds no accelerator.

    >>> with chosen("cpu") as where:
    ...     where, current()
    ('cpu', 'cpu')
    """
    if name not in NAMES:
        raise Refused(
            f"device '{name:.30}'", f"a network is trained on one of {', '.join(NAMES)}", "choose one of these"
        )
    where = "cpu"
    if name == "gpu":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        if found is None:
            raise Unavailable(
                "no GPU", f"torch {torch.__version__} finds none here",
                "leave --device out, or install the torch that was built for your GPU (pytorch.org)",
            )  # fmt: skip
        where = found.type
    token = _CURRENT.set(where)
    try:
        yield where
    finally:
        _CURRENT.reset(token)


def current() -> str:
    """Torch's name of the device that trainings run on now."""
    return _CURRENT.get()


def told(precision: str) -> dict[str, str]:
    """What a card says of the device: which, if not the processor, and that products were not those of the recipe."""
    made = products(precision, current())
    said = {} if current() == "cpu" else {"device": current()}
    return said if made == precision else {**said, "products": f"{made}, on a processor without {precision}"}


class meeting(TorchFunctionMode):  # type: ignore[misc]  # noqa: N801  # used as a context: with meeting("cuda"):
    """Within it, tensors of the processor that meet one of the device are brought there; nothing on the processor."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = torch.device(where)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        given = (tuple(args), dict(kwargs or {}))
        kinds = {leaf.device.type for leaf in tree_leaves(given) if isinstance(leaf, torch.Tensor)}
        if len(kinds) > 1 and self.where.type in kinds and function not in _INDEXED:
            given = tree_map_only(torch.Tensor, lambda t: t.to(self.where), given)
        return function(*given[0], **given[1])


def products(precision: str, where: str = "cpu") -> str:
    """What a device makes the products of a recipe in: a processor that cannot multiply bfloat16 takes float32.

    There each number would be widened and narrowed again, which takes six to sixteen times as long, for less exact
    sums.

    >>> products("float32")
    'float32'
    """
    able = where != "cpu" or torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "SVE"))
    return precision if able else "float32"


@contextmanager
def halved(precision: str) -> Iterator[None]:
    """Products in bfloat16 where a recipe says so and a device has them (see `products`), wherever they are made."""
    with ExitStack() as stack:
        for where in dict.fromkeys(("cpu", current())):
            if products(precision, where) == "bfloat16":
                stack.enter_context(torch.autocast(where, dtype=torch.bfloat16))
        yield
