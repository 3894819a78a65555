"""Undecimated wavelets: how much of an image changes at a scale, along the axes or in every direction (IBSI 2).

Separable ones filter each axis with a low or high pass (code 25BO); the non-separable one of Simoncelli is a ring in
the frequency domain, the same in every direction (PRT7).

Source: Depeursinge et al., arXiv:2006.05470, 3.5 and 3.6; Daubechies, Ten Lectures on Wavelets (1992); Portilla and
Simoncelli, Int J Comput Vis 40 (2000) 49.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.filters import Boundary, Floats, Pooling, padded, separable
from isocenter.methods.masked import as_image

__all__ = ["band", "filtered", "frequencies", "low_pass", "ring", "separable_wavelet", "simoncelli"]

_MOST_MOMENTS = 12  # beyond, the roots of the polynomial lose digits


def separable_wavelet(
    image: npt.NDArray[np.floating],
    family: str,
    bands: str,
    *,
    level: int = 1,
    rotation_invariant: bool = False,
    pooling: Pooling = "mean",
    boundary: Boundary = "mirror",
) -> Floats:
    """One band of a stationary (undecimated) wavelet decomposition.

    Args:
        family: "haar", "db1" to "db12", or "coif1".
        bands: L (low) or H (high) for (column, row, slice), as "LHL"; two letters work by slice.
        level: of decomposition; levels before it are low passes, with holes between their coefficients.
        rotation_invariant: pool over turns.

    Raises:
        Refused: for an unknown family, band or level.
    """
    if len(bands) not in (2, 3) or set(bands.upper()) - {"L", "H"}:
        raise Refused(f"bands '{bands}'", "two or three letters L and H are wanted", "write LHL for instance")
    if level < 1:
        raise Refused(f"level {level}", "levels are counted from 1", "give 1 or more")
    low = _odd(low_pass(family)[::-1])
    high = _odd(low_pass(family) * (-1.0) ** np.arange(1, len(low_pass(family)) + 1))
    before = [[_holes(low, n)] * len(bands) for n in range(level - 1)]
    kernels = [_holes(low if b == "L" else high, level - 1) for b in bands.upper()]
    return separable(
        as_image(image), kernels, before=before, rotation_invariant=rotation_invariant,
        pooling=pooling, boundary=boundary,
    )  # fmt: skip


def simoncelli(
    image: npt.NDArray[np.floating], *, level: int = 1, boundary: Boundary = "periodic", by_slice: bool = False
) -> Floats:
    """The band of a level of Simoncelli's isotropic wavelet.

    A filter in the frequency domain takes the image as periodic; other boundary conditions are put around it first.

    Raises:
        Refused: for a level below 1.
    """
    if level < 1:
        raise Refused(f"level {level}", "levels are counted from 1", "give 1 or more")
    held = as_image(image)
    return filtered(held, lambda shape: band(shape, level), boundary=boundary, by_slice=by_slice)


def filtered(image: Floats, transfer, *, boundary: Boundary, by_slice: bool = False) -> Floats:  # type: ignore[no-untyped-def]
    """The image multiplied in the frequency domain by `transfer` of its shape."""
    from scipy import fft

    axes = (1, 2) if by_slice else (0, 1, 2)
    widths = [0 if boundary == "periodic" or a not in axes else image.shape[a] // 2 for a in range(3)]
    held = padded(image, widths, boundary) if any(widths) else image
    spectrum = fft.fftn(held, axes=axes)
    spectrum *= transfer([held.shape[a] for a in axes])
    response = fft.ifftn(spectrum, axes=axes, overwrite_x=True).real
    return np.ascontiguousarray(response[tuple(slice(w, w + n) for w, n in zip(widths, image.shape, strict=True))])


def frequencies(shape: list[int]) -> list[Floats]:
    """Frequencies of each axis as shares of the Nyquist frequency, ready to be broadcast."""
    return [
        np.reshape(2.0 * np.fft.fftfreq(n), [-1 if a == axis else 1 for a in range(len(shape))])
        for axis, n in enumerate(shape)
    ]


def band(shape: list[int], level: int) -> Floats:
    """The ring of a level on the grid with which IBSI's consensus was made.

    Its frequencies run from -1 to 1 with the first and the last sample at the ends, so that of an even number of
    samples none is zero, and the ring stands half a sample aside. A real response keeps the even part of it.
    """
    centred = []
    for axis, n in enumerate(shape):
        middle = max((n - 1) / 2.0, 0.5)
        f = np.fft.ifftshift((np.arange(n) - (n - 1) / 2.0) / middle)
        centred.append(np.reshape(f, [-1 if a == axis else 1 for a in range(len(shape))]))
    found = ring(centred, level)
    axes = tuple(range(len(shape)))
    return np.asarray((found + np.roll(np.flip(found), 1, axes)) / 2.0)


def ring(f: list[Floats], level: int) -> Floats:
    """Simoncelli's band pass: a cosine over two octaves that ends at the Nyquist frequency over 2^(level - 1)."""
    radius = np.sqrt(sum(part**2 for part in f))
    end = 0.5 ** (level - 1)
    inside = (radius >= end / 4.0) & (radius <= end)
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.where(inside, np.cos(np.pi / 2.0 * np.log2(2.0 * np.where(inside, radius, 1.0) / end)), 0.0)
        )


@lru_cache(maxsize=32)
def low_pass(family: str) -> Floats:
    """Coefficients of a family's scaling function; they sum to the root of 2.

    >>> low_pass("db2").round(4).tolist()
    [0.483, 0.8365, 0.2241, -0.1294]

    Raises:
        Refused: for a family that is not known.
    """
    name = family.lower()
    if name == "coif1":
        r = np.sqrt(7.0)
        return np.asarray(np.array([1 - r, 5 + r, 14 + 2 * r, 14 - 2 * r, 1 - r, r - 3]) / (16.0 * np.sqrt(2.0)))
    moments = {"haar": "1"}.get(name, name[2:] if name.startswith("db") else "")
    if not (moments.isascii() and moments.isdigit() and 1 <= int(moments) <= _MOST_MOMENTS):
        raise Refused(f"wavelet '{family}'", f"known are haar, db1 to db{_MOST_MOMENTS} and coif1", "name one of these")
    return _daubechies(int(moments))


def _daubechies(moments: int) -> Floats:
    """By spectral factorisation: the minimum-phase half of the polynomial with so many vanishing moments."""
    binomials = [1.0]
    for k in range(1, moments):
        binomials.append(binomials[-1] * (moments - 1 + k) / k)
    found = np.poly([-1.0] * moments)
    for y in np.roots(binomials[::-1]):
        half = 1.0 - 2.0 * y
        pair = np.array([half + np.sqrt(half**2 - 1.0 + 0j), half - np.sqrt(half**2 - 1.0 + 0j)])
        found = np.convolve(found, [1.0, -pair[np.abs(pair).argmin()]])
    real = np.real(found)
    return np.asarray(real * np.sqrt(2.0) / real.sum())


def _odd(kernel: Floats) -> Floats:
    """An even kernel with a zero behind it, so that it has a middle."""
    return np.append(kernel, 0.0) if len(kernel) % 2 == 0 else kernel


def _holes(kernel: Floats, times: int) -> Floats:
    """The kernel of a coarser level: zeros between its coefficients (a trous)."""
    for _ in range(times):
        wide = np.zeros(2 * len(kernel) - 1)
        wide[::2] = kernel
        kernel = wide
    return kernel
