"""Riesz transforms: derivatives of every order that leave the weight of each frequency as it is (IBSI 2, code AYRS).

Taken of an image that was filtered for a scale (Laplacian of Gaussian, Simoncelli's ring) they tell in which direction
it changes.

Source: Depeursinge et al., arXiv:2006.05470, 3.7; Unser and Van De Ville, IEEE Trans Image Process 19 (2010) 636.
"""

from __future__ import annotations

from math import factorial, prod, sqrt

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.filters import Boundary, Floats, laplacian_of_gaussian
from isocenter.methods.masked import Spacing, as_image
from isocenter.methods.wavelets import band, filtered, frequencies

__all__ = ["riesz", "riesz_log", "riesz_simoncelli"]

Order = tuple[int, int, int]


def riesz(image: npt.NDArray[np.floating], order: Order, *, boundary: Boundary = "periodic") -> Floats:
    """The Riesz transform of an order.

    Args:
        order: of the derivative along (column, row, slice).

    Raises:
        Refused: when no order is positive.
    """
    checked = _checked(order)
    return filtered(as_image(image), lambda shape: _transfer(shape, checked), boundary=boundary)


def riesz_log(
    image: npt.NDArray[np.floating],
    order: Order,
    sigma_mm: float,
    spacing_mm: Spacing,
    *,
    truncate: float = 4.0,
    boundary: Boundary = "zero",
) -> Floats:
    """The Riesz transform of a Laplacian of Gaussian; `boundary` is the latter's."""
    smooth = laplacian_of_gaussian(image, sigma_mm, spacing_mm, truncate=truncate, boundary=boundary)
    return riesz(smooth, order)


def riesz_simoncelli(
    image: npt.NDArray[np.floating], order: Order, *, level: int = 1, boundary: Boundary = "periodic"
) -> Floats:
    """The Riesz transform of a level of Simoncelli's wavelet."""
    checked = _checked(order)
    held = as_image(image)
    return filtered(held, lambda shape: band(shape, level) * _transfer(shape, checked), boundary=boundary)


def _checked(order: Order) -> Order:
    if min(order) < 0 or sum(order) < 1:
        raise Refused(
            f"Riesz transform of order {order}", "one of the three is at least 1", "give an order such as (1, 0, 0)"
        )
    return order


def _transfer(shape: list[int], order: Order) -> npt.NDArray[np.complex128]:
    f, total = frequencies(shape), sum(order)
    along = order[::-1]  # frequencies are by (slice, row, column)
    radius = np.sqrt(sum(part**2 for part in f))
    radius[(0,) * radius.ndim] = 1.0  # the mean has no direction: its numerator is zero
    weight = sqrt(factorial(total) / prod(factorial(n) for n in order))
    numerator = prod((part**n for part, n in zip(f, along, strict=True)), start=np.ones(1))
    return np.asarray((-1j) ** total * weight * numerator / radius**total)
