"""Gabor filters: stripes of a wavelength and direction under a Gaussian window, within a plane (IBSI 2, code Q88H).

Source: Depeursinge et al., arXiv:2006.05470, 3.4; Gabor, J IEE 93 (1946) 429.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.filters import Boundary, Floats, padded, pooled
from isocenter.methods.masked import Spacing, as_image, as_spacing

__all__ = ["gabor", "reach_mm"]

_WINDOW = 5.0  # standard deviations; beyond, the window is below 4e-6


def gabor(
    image: npt.NDArray[np.floating],
    sigma_mm: float,
    wavelength_mm: float,
    gamma: float,
    spacing_mm: Spacing,
    *,
    theta_deg: float = 0.0,
    step_deg: float | None = None,
    orthogonal: bool = False,
    boundary: Boundary = "mirror",
) -> Floats:
    """Modulus of the response to a complex Gabor kernel in each slice.

    Args:
        sigma_mm: width of the window along the wave; across, it is sigma / gamma.
        wavelength_mm: of the stripes.
        theta_deg: direction of the wave, turned from the row towards the next row.
        step_deg: mean over all directions in such steps, instead of `theta_deg` alone.
        orthogonal: mean over the three planes of the axes, not in the slices only.
        spacing_mm: of (slices, rows, columns).

    Raises:
        Refused: when pixels of a plane are not square, or a width is not positive.
    """
    if not (sigma_mm > 0 and wavelength_mm > 0 and gamma > 0):
        raise Refused(
            f"sigma {sigma_mm:g}, wavelength {wavelength_mm:g}, gamma {gamma:g}",
            "all are positive",
            "give numbers above zero",
        )
    angles = [theta_deg] if step_deg is None else sorted({round(a % 180.0, 9) for a in np.arange(0.0, 360.0, step_deg)})
    held, spacing_mm = as_image(image), as_spacing(spacing_mm)
    planes = (0, 1, 2) if orthogonal else (0,)

    def responses() -> Iterator[Floats]:
        for stack in planes:
            across = [s for a, s in enumerate(spacing_mm) if a != stack]
            if abs(across[0] - across[1]) > 0.01 * across[0]:
                raise Refused(
                    f"pixels of {across[0]:g} x {across[1]:g} mm",
                    "a turned wave needs square ones",
                    "resample to square pixels",
                )
            kernels = [_kernel(sigma_mm / across[0], wavelength_mm / across[0], gamma, a) for a in angles]
            yield np.moveaxis(_modulus(np.moveaxis(held, stack, 0), kernels, boundary), 0, stack)

    return pooled(responses(), "mean")


def reach_mm(sigma_mm: float, gamma: float) -> float:
    """How far from a voxel the filter looks."""
    return _WINDOW * sigma_mm * max(1.0, 1.0 / gamma)


def _kernel(sigma: float, wavelength: float, gamma: float, theta_deg: float) -> npt.NDArray[np.complex128]:
    reach = int(np.ceil(reach_mm(sigma, gamma)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    theta = np.deg2rad(theta_deg)
    along = x * np.cos(theta) + y * np.sin(theta)
    across = x * np.sin(theta) - y * np.cos(theta)
    window = np.exp(-(along**2 + gamma**2 * across**2) / (2.0 * sigma**2))
    return np.asarray(window * np.exp(2j * np.pi * along / wavelength))


def _modulus(stack: Floats, kernels: list[npt.NDArray[np.complex128]], boundary: Boundary) -> Floats:
    """Mean modulus over kernels of one size, slice by slice, so that memory stays that of a slice."""
    from scipy import fft

    reach = len(kernels[0]) // 2
    rows, columns = stack.shape[1:]
    size = [fft.next_fast_len(n + 2 * reach) for n in (rows, columns)]
    spectra = [fft.fft2(k, s=size) for k in kernels]
    found = np.zeros(stack.shape)
    for k, plane in enumerate(padded(stack, (0, reach, reach), boundary)):
        spectrum = fft.fft2(plane, s=size)
        for kernel in spectra:
            response = fft.ifft2(spectrum * kernel, overwrite_x=True)
            found[k] += np.abs(response[2 * reach : 2 * reach + rows, 2 * reach : 2 * reach + columns])
    return found / len(kernels)
