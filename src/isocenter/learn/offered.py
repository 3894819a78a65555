"""What of MONAI a recipe may name: its networks and losses, with their arguments and what each may be.

The list is closed. What stands in it is trained for a step, exported and compared in two axes and three by the tests.
Names and defaults of the arguments are those of MONAI; what MONAI has no default for has one here. Axes, channels and
classes are those of the recipe and no arguments. Weights from elsewhere are never fetched.

Plain data: MONAI itself is only imported where such a network is made (`monai_networks`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes, Masks, Named

__all__ = ["LOSSES", "NETWORKS", "arguments", "must_be_offered", "options", "step_of"]

Count = Annotated[int, Field(ge=1, le=64)]
Channels = Annotated[int, Field(ge=1, le=1024)]
Part = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0, le=1000)]
Small = Annotated[float, Field(ge=0, le=1)]
Stride = Annotated[int, Field(ge=1, le=2)]
Kernel = Literal[1, 3, 5, 7]
Four = Annotated[tuple[Count, ...], Field(min_length=4, max_length=4)]
FourWide = Annotated[tuple[Channels, ...], Field(min_length=4, max_length=4)]
SixWide = Annotated[tuple[Channels, ...], Field(min_length=6, max_length=6)]
Levels = Annotated[tuple[Channels, ...], Field(min_length=2, max_length=7)]


@dataclass(frozen=True)
class _DenseNet:
    init_features: Channels = 64
    growth_rate: Channels = 32
    block_config: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (6, 12, 24, 16)
    dropout_prob: Part = 0.0


@dataclass(frozen=True)
class _SEResNet:
    layers: Four = (3, 4, 6, 3)
    reduction: Count = 16
    dropout_prob: Part | None = None
    input_3x3: bool = False


@dataclass(frozen=True)
class _EfficientNet:
    model_name: Literal[
        "efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3", "efficientnet-b4"
    ] = "efficientnet-b0"  # fmt: skip


@dataclass(frozen=True)
class _ResNet:
    block: Literal["basic", "bottleneck"] = "basic"
    layers: Four = (2, 2, 2, 2)
    block_inplanes: FourWide = (64, 128, 256, 512)
    conv1_t_size: Kernel = 7
    conv1_t_stride: Stride = 1
    no_max_pool: bool = False


@dataclass(frozen=True)
class _Stepped:
    """Levels of channels, each but the first on a grid that its stride has made coarser."""

    channels: Levels = (16, 32, 64, 128)
    strides: tuple[Stride, ...] = (2, 2, 2)
    kernel_size: Kernel = 3
    dropout: Part = 0.0

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.channels) - 1:
            raise ValueError(f"{len(self.channels)} channels have {len(self.channels) - 1} strides between them")

    @property
    def coarser(self) -> int:
        """Voxels of the image along a side of one of the coarsest grid."""
        return math.prod(self.strides)


@dataclass(frozen=True)
class _UNet(_Stepped):
    num_res_units: Annotated[int, Field(ge=0, le=8)] = 0


@dataclass(frozen=True)
class _AttentionUnet(_Stepped):
    pass


@dataclass(frozen=True)
class _BasicUNet:
    features: SixWide = (32, 32, 64, 128, 256, 32)
    dropout: Part = 0.0
    upsample: Literal["deconv", "nontrainable"] = "deconv"

    @property
    def coarser(self) -> int:
        return 16


@dataclass(frozen=True)
class _SegResNet:
    init_filters: Annotated[int, Field(ge=8, le=256, multiple_of=8)] = 8
    dropout_prob: Part | None = None
    blocks_down: Annotated[tuple[Count, ...], Field(min_length=2, max_length=6)] = (1, 2, 2, 4)
    blocks_up: tuple[Count, ...] = (1, 1, 1)
    upsample_mode: Literal["nontrainable", "deconv"] = "nontrainable"

    def __post_init__(self) -> None:
        if len(self.blocks_up) != len(self.blocks_down) - 1:
            raise ValueError(f"{len(self.blocks_down)} blocks_down have {len(self.blocks_down) - 1} blocks_up")

    @property
    def coarser(self) -> int:
        return int(2 ** (len(self.blocks_down) - 1))


@dataclass(frozen=True)
class _DynUNet:
    filters: Annotated[tuple[Channels, ...], Field(min_length=3, max_length=7)] = (16, 32, 64, 128)
    strides: tuple[Stride, ...] = (1, 2, 2, 2)
    kernel_size: tuple[Kernel, ...] = (3, 3, 3, 3)
    res_block: bool = False
    dropout: Part | None = None

    def __post_init__(self) -> None:
        if not len(self.strides) == len(self.kernel_size) == len(self.filters):
            raise ValueError(f"{len(self.filters)} filters have as many strides and as many sides in kernel_size")
        if self.strides[0] != 1:
            raise ValueError("the first of the strides is 1, so that every voxel has its answer")

    @property
    def coarser(self) -> int:
        return math.prod(self.strides)


@dataclass(frozen=True)
class _Dice:
    include_background: bool = True
    squared_pred: bool = False
    jaccard: bool = False
    smooth_nr: Small = 1e-5
    smooth_dr: Small = 1e-5


@dataclass(frozen=True)
class _DiceCE(_Dice):
    lambda_dice: Weight = 1.0
    lambda_ce: Weight = 1.0
    label_smoothing: Part = 0.0


@dataclass(frozen=True)
class _DiceFocal(_Dice):
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    lambda_dice: Weight = 1.0
    lambda_focal: Weight = 1.0


@dataclass(frozen=True)
class _GeneralizedDice:
    include_background: bool = True
    w_type: Literal["square", "simple", "uniform"] = "square"
    smooth_nr: Small = 1e-5
    smooth_dr: Small = 1e-5


@dataclass(frozen=True)
class _Tversky:
    include_background: bool = True
    alpha: Small = 0.5
    beta: Small = 0.5
    smooth_nr: Small = 1e-5
    smooth_dr: Small = 1e-5


@dataclass(frozen=True)
class _Focal:
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    alpha: Small | None = None


@dataclass(frozen=True)
class _FocalOfMasks(_Focal):
    include_background: bool = True

    def __post_init__(self) -> None:
        if self.alpha is not None and not self.include_background:
            raise ValueError("alpha weighs the background, which include_background = false leaves out")


NETWORKS: Mapping[type, Mapping[str, type]] = {
    Classes: {
        "DenseNet121": _DenseNet, "SEResNet50": _SEResNet, "SEResNext50": _SEResNet, "EfficientNetBN": _EfficientNet,
        "ResNet": _ResNet,
    },
    Masks: {
        "UNet": _UNet, "BasicUNet": _BasicUNet, "AttentionUnet": _AttentionUnet, "SegResNet": _SegResNet,
        "DynUNet": _DynUNet,
    },
}  # fmt: skip
"""Kind of recipe -> name in MONAI -> the arguments that it may have."""

LOSSES: Mapping[type, Mapping[str, type]] = {
    Classes: {"FocalLoss": _Focal},
    Masks: {
        "DiceLoss": _Dice, "DiceCELoss": _DiceCE, "DiceFocalLoss": _DiceFocal, "FocalLoss": _FocalOfMasks,
        "GeneralizedDiceLoss": _GeneralizedDice, "TverskyLoss": _Tversky,
    },
}  # fmt: skip


def options(said: Named, offers: Mapping[str, type], what: str, where: str) -> Any:
    """The arguments of a network or loss, whole and checked.

    Args:
        offers: names and their arguments. what: ``"network"`` or ``"loss"``. where: the recipe, for a refusal.

    Raises:
        Refused: a name or an argument that is not offered, or a value that it may not have.
    """
    if said.monai not in offers:
        near = difflib.get_close_matches(said.monai, offers, 1, 0.5)
        raise Refused(
            f"{what} '{said.monai:.40}' in {where}", f"of MONAI there are {', '.join(offers)}",
            f"did you mean {near[0]}?" if near else "name one of these",
        )  # fmt: skip
    if "pretrained" in said.arguments:
        raise Refused(
            f"pretrained of {said.monai} in {where}", "weights from elsewhere are never fetched", "leave it out"
        )
    known = [f.name for f in fields(offers[said.monai])]
    for name in said.arguments:
        if name not in known:
            raise Refused(f"{name:.40} of {said.monai} in {where}", "there is no such argument",
                          f"there are {', '.join(known)}")  # fmt: skip
    try:
        return TypeAdapter(offers[said.monai]).validate_python(dict(said.arguments))
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the arguments"
        why = first["msg"].removeprefix("Value error, ")
        raise Refused(f"{place} of {said.monai} in {where}", why[:1].lower() + why[1:], "correct it") from e


def arguments(said: Named, offers: Mapping[str, type], what: str, where: str) -> dict[str, Any]:
    """The same as keywords."""
    return asdict(options(said, offers, what, where))


def must_be_offered(how: Classes | Masks, where: str) -> None:
    """Raises `Refused` where the recipe names a network or a loss of MONAI that is not offered for its kind."""
    if how.network is not None:
        options(how.network, NETWORKS[type(how)], "network", where)
    if how.loss is not None:
        options(how.loss, LOSSES[type(how)], "loss", where)


def step_of(how: Masks) -> int:
    """The sides of what the network looks at are multiples of this.

    A network of MONAI has two voxels at least along each side of its coarsest grid: a norm of one voxel is nothing.
    """
    if how.network is None:
        return int(2 ** len(how.widths))
    return 2 * int(options(how.network, NETWORKS[Masks], "network", how.task).coarser)
