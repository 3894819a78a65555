"""Filters that bring out one kind of structure before features are taken: mean, edge, spot, ripple (IBSI 2).

Every filter takes (slices, rows, columns) and gives a response map of the same shape. Near the image's edge it depends
on what is taken to lie beyond: zeros, the nearest voxel, the image again, or the image mirrored at its border.

Directed filters are made rotation invariant by pooling over the 24 turns of a cube (4 of a square, by slice).

Source: Depeursinge et al., arXiv:2006.05470 (reference manual of IBSI 2); Whybra et al., Radiology 310 (2024) e231319;
Laws, Proc SPIE 238 (1980) 376. Gabor filters are in `gabor`, wavelets in `wavelets`, Riesz transforms in `riesz`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import permutations, product
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.masked import Spacing, as_image, as_spacing

__all__ = [
    "BOUNDARIES",
    "Boundary",
    "Pooling",
    "laplacian_of_gaussian",
    "laws",
    "mean",
    "padded",
    "pooled",
    "separable",
]

Floats = npt.NDArray[np.float64]
Boundary = Literal["zero", "nearest", "periodic", "mirror"]
Pooling = Literal["max", "mean"]
Kernels = tuple[Floats, Floats, Floats]
"""One odd kernel for each axis (slice, row, column); a single 1 leaves an axis as it is."""

BOUNDARIES: dict[str, tuple[str, str]] = {
    "zero": ("constant", "constant"),
    "nearest": ("nearest", "edge"),
    "periodic": ("wrap", "wrap"),
    "mirror": ("reflect", "symmetric"),
}
"""Boundary condition -> its names in scipy.ndimage and in numpy.pad."""

_ONE: Floats = np.ones(1)
_LAWS: dict[str, tuple[float, ...]] = {
    "L3": (1, 2, 1), "E3": (-1, 0, 1), "S3": (-1, 2, -1),
    "L5": (1, 4, 6, 4, 1), "E5": (-1, -2, 0, 2, 1), "S5": (-1, 0, 2, 0, -1), "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}  # fmt: skip


def mean(
    image: npt.NDArray[np.floating], size: int, *, boundary: Boundary = "mirror", by_slice: bool = False
) -> Floats:
    """The mean of a cube (square, by slice) of `size` voxels a side.

    Raises:
        Refused: when the size is even, so that the cube has no middle.
    """
    if size < 1 or size % 2 == 0:
        raise Refused(f"a mean over {size} voxels", "the window needs a middle", "take an odd number")
    kernel = np.full(size, 1.0 / size)
    return _convolved(as_image(image), (_ONE if by_slice else kernel, kernel, kernel), boundary)


def laplacian_of_gaussian(
    image: npt.NDArray[np.floating],
    sigma_mm: float,
    spacing_mm: Spacing,
    *,
    truncate: float = 4.0,
    boundary: Boundary = "mirror",
    by_slice: bool = False,
) -> Floats:
    """Spots and edges of a size: the Laplacian of a Gaussian, negative on bright spots of radius sigma times root 3.

    Args:
        sigma_mm: width of the Gaussian.
        spacing_mm: of (slices, rows, columns).
        truncate: the kernel ends after so many sigma.

    Raises:
        Refused: when sigma is below a quarter of a voxel, where the sampled kernel means nothing.
    """
    axes, spacing_mm = (1, 2) if by_slice else (0, 1, 2), as_spacing(spacing_mm)
    sigmas = [sigma_mm / spacing_mm[a] for a in axes]
    if min(sigmas) < 0.25:
        raise Refused(
            f"sigma {sigma_mm:g} mm on voxels of {max(spacing_mm):g} mm",
            "the filter is finer than the voxels",
            "give a sigma as large as the voxels, or resample to smaller ones",
        )
    smooth, curved = zip(*(_gaussian(s, truncate) for s in sigmas), strict=True)
    held = as_image(image)
    parts = []
    for bent in range(len(axes)):
        kernels = [_ONE, _ONE, _ONE]
        for n, axis in enumerate(axes):
            kernels[axis] = curved[n] if n == bent else smooth[n]
        parts.append(_convolved(held, (kernels[0], kernels[1], kernels[2]), boundary))
    return np.asarray(reduce(np.add, parts))


def laws(
    image: npt.NDArray[np.floating],
    kernels: str,
    *,
    energy: int | None = None,
    rotation_invariant: bool = False,
    pooling: Pooling = "max",
    boundary: Boundary = "mirror",
) -> Floats:
    """Laws' kernels: level, edge, spot, wave and ripple along the axes, normalised.

    Args:
        kernels: one a letter and a size for (column, row, slice), as "L5E5S5"; two of them work by slice.
        energy: mean absolute response within so many voxels (Chebyshev), or None for the response itself.
        rotation_invariant: pool over turns of the kernels, before the energy.

    Raises:
        Refused: for an unknown kernel or a number of them other than two and three.
    """
    names = [kernels[i : i + 2].upper() for i in range(0, len(kernels), 2)]
    unknown = [n for n in names if n not in _LAWS]
    if unknown or len(names) not in (2, 3):
        raise Refused(
            f"Laws kernels '{kernels}'", f"two or three of {', '.join(_LAWS)} are wanted", "name them, such as L5E5"
        )
    made = [np.asarray(_LAWS[n]) / np.linalg.norm(_LAWS[n]) for n in names]
    response = separable(
        as_image(image), made, rotation_invariant=rotation_invariant, pooling=pooling, boundary=boundary
    )
    if energy is None:
        return response
    return mean(np.abs(response), 2 * energy + 1, boundary=boundary, by_slice=len(names) == 2)


def separable(
    image: Floats,
    kernels: Sequence[Floats],
    *,
    before: Sequence[Sequence[Floats]] = (),
    rotation_invariant: bool = False,
    pooling: Pooling = "mean",
    boundary: Boundary = "mirror",
) -> Floats:
    """The response to odd kernels along (column, row, slice); two of them work by slice.

    Args:
        before: sets of kernels that are applied first, turned together with `kernels`.
        rotation_invariant: pool over the proper turns of all of them.
    """
    chain = [_by_axis(k) for k in (*before, kernels)]
    turns = list(_turns(len(kernels))) if rotation_invariant else [((0, 1, 2), (1, 1, 1))]
    seen = {}
    for order, signs in turns:
        turned = tuple(_turned(k, order, signs) for k in chain)
        seen[b"|".join(part.tobytes() for k in turned for part in k)] = turned
    # Turns that look alike are met equally often, so that one of each has the mean of all.
    return pooled(
        (reduce(lambda held, k: _convolved(held, k, boundary), chain, image) for chain in seen.values()), pooling
    )


def pooled(responses: Iterator[Floats], pooling: Pooling) -> Floats:
    """One map from several: the mean, or the highest of each voxel."""
    found = next(responses).copy()
    count = 1
    for response in responses:
        if pooling == "max":
            np.maximum(found, response, out=found)
        else:
            found += response
        count += 1
    return found if pooling == "max" else found / count


def padded(image: Floats, widths: Sequence[int], boundary: Boundary) -> Floats:
    """The image with what is taken to lie beyond its edge."""
    return np.pad(image, [(w, w) for w in widths], mode=BOUNDARIES[boundary][1])  # type: ignore[call-overload, no-any-return]


def _convolved(image: Floats, kernels: Kernels, boundary: Boundary) -> Floats:
    from scipy.ndimage import convolve1d

    if boundary not in BOUNDARIES:
        raise Refused(f"boundary condition '{boundary}'", f"there are {', '.join(BOUNDARIES)}", "name one of these")
    for axis, kernel in enumerate(kernels):
        if len(kernel) > 1:
            image = convolve1d(image, kernel, axis=axis, mode=BOUNDARIES[boundary][0])
    return image


def _gaussian(sigma: float, truncate: float) -> tuple[Floats, Floats]:
    """A Gaussian of so many voxels and its second derivative, sampled."""
    reach = int(truncate * sigma + 0.5)
    x = np.arange(-reach, reach + 1.0)
    bell = np.exp(-(x**2) / (2.0 * sigma**2)) / (np.sqrt(2.0 * np.pi) * sigma)
    return bell, bell * (x**2 - sigma**2) / sigma**4


def _by_axis(kernels: Sequence[Floats]) -> Kernels:
    """(column, row[, slice]) -> (slice, row, column)."""
    along = [np.ascontiguousarray(k, dtype=np.float64) for k in reversed(kernels)]
    return (along[0], along[1], along[2]) if len(along) == 3 else (_ONE, along[0], along[1])


def _turns(dimensions: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Axis orders and signs that are rotations: 24 in space, 4 within the slice."""
    orders = permutations(range(3)) if dimensions == 3 else iter([(0, 1, 2), (0, 2, 1)])
    for order in orders:
        odd = sum(order[i] > order[j] for i in range(3) for j in range(i + 1, 3)) % 2
        for signs in product((1, -1), repeat=3):
            if (dimensions == 3 or signs[0] == 1) and signs.count(-1) % 2 == odd:
                yield order, signs


def _turned(kernels: Kernels, order: tuple[int, ...], signs: tuple[int, ...]) -> Kernels:
    a, b, c = (np.ascontiguousarray(kernels[o][::s]) for o, s in zip(order, signs, strict=True))
    return a, b, c
