"""Mammogram: the outline of the breast, the pectoral muscle, and dense tissue by area.

The breast is the largest bright part at one of the two side edges. The muscle of an oblique view is the bright triangle
in the upper corner at the chest wall: the line, straight or a little bent, with the largest drop of brightness across
it is taken. Dense tissue is what lies above Otsu's threshold between fat and gland, found away from the skin, near
which the breast grows thinner; where the two classes do not part, or part only the thinner rim from the middle, nothing
is called dense.

Sources: Byng et al., Phys Med Biol 39 (1994) 1629 (percent density by threshold); Karssemeijer, Phys Med Biol 43 (1998)
365 (pectoral line); Otsu, IEEE Trans SMC 9 (1979) 62.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.opening import filled

__all__ = ["Breast", "attenuation", "is_linear", "outline"]

_SIDE = 320
_FLAT = 1e-3  # of the range of the picture: a breast of one value
_LEAST, _MOST = 0.08, 0.95  # of the picture
# Variance between fat and gland over the whole, and how much brighter gland must be: below, all is of one kind.
# A single bell of values reaches 0.64.
_PARTED, _BRIGHTER = 0.72, 0.10
# Of two draws, how often the bright one lies deeper, and how far the histogram sinks between two peaks: in breasts of
# fat 0.97 to 0.995 and 1.0, in those with gland at most 0.84 and 0.09.
_DEEPER, _NO_VALLEY = 0.90, 0.7
# Two bells, whatever their shares: means over the mean standard deviation (halves of one bell have 2.7, of the rim of a
# breast of fat 3.6), and how far the histogram sinks between them, away from the skin and all over.
_BELLS, _VALLEY, _SHALLOW = 4.0, 0.5, 0.7
_RIM = 0.2  # of the largest distance from the skin, within which the breast grows thinner
_SKIN = 0.05  # of it: the skin line alone
# How wide a margin may be, of the lines of a picture; how far its values may spread, of the range of all; how much of
# the lines next to a dark one is bright, where breast or muscle begins at once.
_WIDEST_MARGIN, _EVEN, _NEXT_ROWS, _NEXT_COLUMNS = 0.25, 0.02, 0.08, 0.25
_NOISE = 15  # neighbours along a line whose mean is taken
_CORNER = (0.2, 0.12)  # of rows and columns: a muscle is larger
_STEEP_DEG = (20.0, 75.0)  # of the muscle's edge against the chest wall's normal
# Drop of brightness across the edge over how it varies along both sides; how much of it a straight line shows of a bent
# one; how far the edge bulges, of its length.
_LEAST_DROP, _MOST_BY_BEND, _BENDS = 0.8, 0.6, (-0.05, 0.05)

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Breast:
    """What was outlined, on the grid of the picture.

    Args:
        breast: without the muscle. muscle: empty where none is seen. dense: part of the breast.
        percent: area of dense tissue in parts of the breast, %.
        side: ``"L"`` where the chest wall lies at the left edge of the picture, else ``"R"``.
        touches: further edges of the picture that the breast reaches.
        parted: whether fat and gland part; where they do not, nothing is dense, or nearly all.
        hidden: whether no muscle was found in an oblique view, and the corner in which it lies is dense: gland beside
            it hides its border, and it was counted as dense.
    """

    breast: Mask
    muscle: Mask
    dense: Mask
    percent: float
    side: str
    touches: tuple[str, ...]
    parted: bool = True
    hidden: bool = False


def attenuation(exposure: Floats) -> Floats:
    """What absorbed the rays along each of them, up to a constant: the negative logarithm of what came through.

    Values of a detector that grow in proportion to the exposure show fat and gland hardly apart beside the air.

    Args:
        exposure: (rows, columns), 0 where nothing came through.
    """
    top = float(exposure.max())
    return np.asarray(-np.log(np.maximum(exposure, 1e-4 * top) / top), np.float32)


def is_linear(exposure: Floats) -> bool:
    """Whether values that grow with the exposure do so in proportion: behind a breast a fifth or less of them is left.

    After a logarithm at least a third is left.
    """
    low, high = np.percentile(exposure, (10.0, 99.0))
    return bool(low < 0.33 * high)


def outline(picture: Floats, *, oblique: bool) -> Breast:
    """Find breast, muscle and dense tissue.

    Args:
        picture: (rows, columns), bright where dense, square pixels.
        oblique: whether the view is medio-lateral oblique, and a muscle is looked for.

    Raises:
        Refused: for what is no picture, or where no breast lies at one side edge of it.
    """
    _must_be_usable(picture)
    top, bottom, left, right = _margins(picture)
    shown = picture[top : picture.shape[0] - bottom, left : picture.shape[1] - right]
    small = _small(shown)
    whole, side = _breast(small)
    upright = small if side == "L" else small[:, ::-1]
    inside = whole if side == "L" else whole[:, ::-1]
    muscle = _muscle(upright, inside) if oblique else np.zeros_like(inside)
    breast = inside & ~muscle
    dense, parted = _dense(upright, breast, inside)
    hidden = oblique and not muscle.any() and _corner_is_dense(inside, dense)
    masks = [m if side == "L" else m[:, ::-1] for m in (breast, muscle, dense)]
    grown = [np.pad(_enlarged(m, shown.shape), ((top, bottom), (left, right))) for m in masks]
    percent = 100.0 * int(np.count_nonzero(dense)) / max(1, int(np.count_nonzero(breast)))
    edges = {"top": breast[0], "bottom": breast[-1], "far side": breast[:, -1]}
    touches = tuple(name for name, line in edges.items() if np.count_nonzero(line) > 0.1 * len(line))
    return Breast(grown[0], grown[1], grown[2], percent, side, touches, parted, hidden)


def _must_be_usable(picture: Floats) -> None:
    if picture.ndim != 2 or min(picture.shape) < 64:
        raise Refused(
            f"a picture of shape {picture.shape}",
            "at least 64 by 64 pixels of one plane are looked at",
            "choose the picture itself, not its thumbnail",
        )
    if not np.isfinite(picture).all():
        raise Refused(
            "a picture with values that are not numbers", "nothing can be outlined on it", "send the picture again"
        )


def _margins(picture: Floats) -> tuple[int, int, int, int]:
    """Lines at the (top, bottom, left, right) edge that are none of the picture: of one value, and not air.

    A collimator, padding or the rim of a plate lies between the edge and the chest wall. Air is of one value as well,
    but is dark, and what follows it is the round skin line: few pixels of the next lines are bright.
    """
    low, high = (float(v) for v in np.percentile(picture, (0.5, 99.5)))
    found = []
    for lines, least in (
        (picture, _NEXT_ROWS),
        (picture[::-1], _NEXT_ROWS),
        (picture.T, _NEXT_COLUMNS),
        (picture.T[::-1], _NEXT_COLUMNS),
    ):
        few = lines[: max(1, int(_WIDEST_MARGIN * len(lines)))]
        spread = np.ptp(np.percentile(few, (5.0, 95.0), axis=1), axis=0)
        even = int(np.argmax(np.append(spread > _EVEN * (high - low), True)))
        if white := _white_lines(few, low, high):
            found.append(white)
            continue
        following = lines[even : even + 3] > low + 0.1 * (high - low)
        found.append(even if even and even < len(few) and float(following.mean()) >= least else 0)
    return found[0], found[1], found[2], found[3]


def _white_lines(few: Floats, low: float, high: float) -> int:
    """How many of the first lines are bright, and even but for noise: no line across a breast is."""
    from scipy.ndimage import uniform_filter1d

    smooth = uniform_filter1d(few, _NOISE, axis=1)
    spread = np.ptp(np.percentile(smooth, (5.0, 95.0), axis=1), axis=0)
    even = int(np.argmax(np.append(spread > _EVEN * (high - low), True)))
    return even if even and float(np.median(smooth[:even])) > low + 0.5 * (high - low) else 0


def _small(picture: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter, zoom

    held = np.asarray(picture, np.float32)
    step = max(1, max(held.shape) // _SIDE)
    rows, columns = (n // step * step for n in held.shape)
    held = held[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    factor = min(1.0, _SIDE / max(held.shape))
    held = zoom(held, factor, order=1) if factor < 1.0 else held
    low, high = np.percentile(held, (0.5, 99.8))
    if not high > low:
        raise Refused("a picture of one value", "there is no breast in it", "send the picture again")
    return np.asarray(gaussian_filter(np.clip((held - low) / (high - low), 0, 1), 1.0), np.float32)


def _breast(small: Floats) -> tuple[Mask, str]:
    from scipy.ndimage import binary_opening, label

    # Air is the darkest and by far the most even part: the threshold lies just above it, or the skin line is lost.
    counts, edges = np.histogram(small, 128, (0.0, 1.0))
    air = int(np.argmax(counts[:48]))
    threshold = max(float(edges[air + 1]) + 0.04, 0.06)
    bright = binary_opening(small > threshold, iterations=2)
    labels, count = label(bright)
    if not count:
        raise Refused(
            "no breast",
            "nothing on the picture is brighter than air",
            "send the mammogram again, or correct Photometric Interpretation",
        )
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    whole = filled(labels == int(sizes.argmax()))
    share = np.count_nonzero(whole) / whole.size
    if not _LEAST <= share <= _MOST:
        raise Refused(
            f"a breast that fills {share:.0%} of the picture",
            "it is a spot, a specimen, or no mammogram",
            "choose the whole mammogram",
        )
    widths = np.count_nonzero(whole, axis=1)
    tenth = max(1, len(widths) // 10)
    ends = min(float(widths[:tenth].mean()), float(widths[-tenth:].mean()))
    if ends > 1.15 * float(widths[len(widths) // 2 - tenth : len(widths) // 2 + tenth].mean()):
        raise Refused(
            "a breast darker than the air beside it",
            "the picture is inverted, or its Pixel Intensity Relationship Sign is missing or wrong",
            "send it as the machine made it",
        )
    left, right = np.count_nonzero(whole[:, :2]), np.count_nonzero(whole[:, -2:])
    if max(left, right) < 0.25 * 2 * whole.shape[0] or min(left, right) > 0.7 * max(left, right):
        raise Refused(
            "no chest wall at one side",
            "a breast lies along the left or the right edge of a mammogram",
            "choose a mammogram that shows the chest wall",
        )
    return whole, "L" if left > right else "R"


def _muscle(upright: Floats, inside: Mask) -> Mask:
    """The corner above the line across which brightness drops most; empty where it does not drop enough.

    The best straight line is sought first, and then a bent one near it: the edge of a muscle bulges, or is hollow.
    """
    rows, columns = upright.shape
    top = int(np.flatnonzero(inside.any(axis=1))[0])
    half, held = upright[::2, ::2], inside[::2, ::2]  # every second pixel finds the line as well
    places = 2 * np.indices(half.shape)
    spread = float(upright[inside].std())

    def score(foot: float, width: float, bend: float) -> float:
        away = _beyond_edge(places, top, foot, width, bend)
        near = held & (places[0] >= top) & (places[0] <= foot)
        within, beyond = near & (away >= 1) & (away <= 7), near & (away <= -1) & (away >= -7)
        if min(np.count_nonzero(within), np.count_nonzero(beyond)) < 15:
            return 0.0
        a, b = half[within], half[beyond]
        drop = float(a.mean() - b.mean())
        return drop / (float(a.std() + b.std()) + 0.25 * spread) if drop > 0.04 else 0.0

    feet = np.linspace(0.2, 0.8, 25) * rows  # where the line meets the chest wall
    widths = np.linspace(0.12, 0.75, 22) * columns  # where it meets the top
    lines = [(float(f), float(w), 0.0) for f in feet for w in widths if _is_steep(f - top, w)]
    best, chosen = max(((score(*line), line) for line in lines), default=(0.0, (0.0, 0.0, 0.0)))
    if best < _LEAST_DROP * _MOST_BY_BEND:
        return np.zeros_like(inside)
    bent = [
        (chosen[0] + i * (feet[1] - feet[0]), chosen[1] + j * (widths[1] - widths[0]), bend)
        for i in range(-6, 7) for j in range(-3, 4) for bend in _BENDS
    ]  # fmt: skip
    best, chosen = max((best, chosen), *((score(*line), line) for line in bent if _is_steep(line[0] - top, line[1])))
    if best < _LEAST_DROP:
        return np.zeros_like(inside)
    at = np.indices(upright.shape)
    return np.asarray(inside & (at[0] < chosen[0]) & (_beyond_edge(at, top, *chosen) > 0), np.bool_)


def _is_steep(tall: float, wide: float) -> bool:
    return wide > 0 and _STEEP_DEG[0] <= float(np.degrees(np.arctan2(tall, wide))) <= _STEEP_DEG[1]


def _beyond_edge(
    places: npt.NDArray[np.integer], top: int, foot: float, width: float, bend: float
) -> npt.NDArray[np.floating]:
    """How far each pixel lies on the muscle's side of its edge, from the top to where it meets the chest wall.

    Args:
        places: (2, rows, columns). bend: how far the middle of the edge bulges, of its length.
    """
    long = float(np.hypot(foot - top, width))
    along = (places[0] - top) / (foot - top)
    straight = ((foot - places[0]) * width - (foot - top) * places[1]) / long
    return np.asarray(straight + 4.0 * bend * long * along * (1.0 - along), np.float64)


def _corner_is_dense(inside: Mask, dense: Mask) -> bool:
    """Whether most of the upper corner at the chest wall is dense, in the size of the smallest muscle looked for."""
    rows, columns = inside.shape
    top = int(np.flatnonzero(inside.any(axis=1))[0])
    row, column = np.indices(inside.shape)
    foot, width = top + _CORNER[0] * rows, _CORNER[1] * columns
    corner = inside & (row >= top) & ((foot - row) * width > (foot - top) * column)
    return bool(np.count_nonzero(dense & corner) > 0.5 * np.count_nonzero(corner))


def _dense(upright: Floats, breast: Mask, whole: Mask) -> tuple[Mask, bool]:
    """Dense tissue, and whether fat and gland part at all."""
    from scipy.ndimage import binary_opening, distance_transform_edt

    # Beyond the chest wall, at the first column, the breast goes on: it is no skin.
    depth = distance_transform_edt(np.pad(whole, ((1, 1), (0, 1))))[1:-1, :-1]
    for rim in (_RIM, _SKIN):
        core = breast & (depth >= rim * float(depth.max()))
        limit = _border(upright[core], depth[core], deep=rim == _RIM)
        if limit is not None:
            return np.asarray(binary_opening(breast & (upright > limit), iterations=1), np.bool_), True
    return np.zeros_like(breast), False


def _border(values: Floats, depth: npt.NDArray[np.floating], *, deep: bool) -> float | None:
    """Otsu's threshold between fat and gland; None where they do not part.

    Args:
        values: brightness. depth: distance from the skin.
        deep: whether the values are those away from the skin; near it the breast grows thinner, and two bells apart
            are asked for.
    """
    if len(values) < 400 or float(np.ptp(values)) < _FLAT:
        return None
    counts, edges = np.histogram(values, 128)
    share = np.cumsum(counts) / counts.sum()
    middles = (edges[:-1] + edges[1:]) / 2
    mean = np.cumsum(counts * middles) / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * share - mean) ** 2 / (share * (1 - share))
    at = int(np.nanargmax(between[:-1]))
    bright = values > edges[at + 1]
    low, high = values[~bright], values[bright]
    if float(high.mean() / max(float(low.mean()), 1e-6)) - 1.0 < _BRIGHTER:
        return None
    # The share of the variance falls with that of the smaller class: a rest of fat or a little gland part as well.
    valley, spread = _valley(counts, at), float(np.sqrt((low.var() + high.var()) / 2.0))
    bells = float(high.mean() - low.mean()) >= _BELLS * spread and valley <= (_VALLEY if deep else _SHALLOW)
    parted = deep and float(between[at]) >= _PARTED * float(values.var()) and not _is_rim(depth, bright, valley)
    return float(edges[at + 1]) if bells or parted else None


def _valley(counts: npt.NDArray[np.integer], at: int) -> float:
    """How far a histogram sinks between the peaks on either side of a threshold: 1 where it does not."""
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(counts.astype(np.float64), 3.0)
    low, high = int(np.argmax(smooth[: at + 1])), at + 1 + int(np.argmax(smooth[at + 1 :]))
    return float(smooth[low : high + 1].min()) / float(min(smooth[low], smooth[high]))


def _is_rim(depth: npt.NDArray[np.floating], bright: Mask, valley: float) -> bool:
    """Whether a threshold only parts the thinner rim of a breast of fat from its middle.

    Then what is bright lies deeper than what is dark, nearly without exception, and no valley lies between the two in
    the histogram: thickness falls off steadily, and gland begins at once.
    """
    order = np.argsort(depth, kind="stable")
    rank = np.empty(len(depth))
    rank[order] = np.arange(1, len(depth) + 1)
    many = int(np.count_nonzero(bright))
    deeper = (float(rank[bright].sum()) - many * (many + 1) / 2.0) / (many * (len(bright) - many))
    return deeper > _DEEPER and valley > _NO_VALLEY


def _enlarged(mask: Mask, shape: tuple[int, ...]) -> Mask:
    rows = np.minimum(np.arange(shape[0]) * mask.shape[0] // shape[0], mask.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) * mask.shape[1] // shape[1], mask.shape[1] - 1)
    return np.asarray(mask[rows][:, columns], np.bool_)
