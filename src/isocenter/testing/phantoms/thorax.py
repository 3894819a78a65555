"""A frontal chest radiograph of an adult built from ellipses: lungs, heart and widths are known exactly.

Flat shadows instead of a projected body (that is `chest`, a child): the borders lie where they were put, and a ratio
measured on the picture has a truth to a pixel. Ribs, a gradient of exposure, blur and noise are laid over it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.chest_film import chest_film
from isocenter.testing.phantoms.patient import Person, Phantom

__all__ = ["patient", "picture"]

_PIXELS, _MM = 512, 0.8
_LUNG, _SOFT, _HEART, _AIR = 0.30, 0.62, 0.86, 0.0


def picture(
    *,
    seed: int = 1,
    heart_mm: float = 140.0,
    thorax_mm: float = 300.0,
    turned_mm: float = 0.0,
    height_mm: float = 260.0,
) -> tuple[npt.NDArray[np.uint16], dict[str, Any]]:
    """12-bit pixels, bright where dense, and the truth.

    Args:
        seed: decides noise and small differences of form.
        heart_mm, thorax_mm: largest width of the heart and of the inner thorax.
        turned_mm: how far the mediastinum lies to the patient's left of the middle.
        height_mm: of the lungs.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 12])
    row, column = np.indices((_PIXELS, _PIXELS))
    x, y = (column - (_PIXELS - 1) / 2) * _MM, (row - (_PIXELS - 1) / 2) * _MM + 20.0
    body = (np.abs(x) / 178.0) ** 3 + (np.maximum(-y - 60.0, 0) / 95.0) ** 3 < 1.0
    half = thorax_mm / 2
    # Inner thorax: straight sides that close towards the apex, a floor with two domes.
    top, floor = 70.0 - height_mm / 2 - 40.0, 30.0 + height_mm / 2 - 40.0
    along = np.clip((y - top) / (0.62 * height_mm), 0.0, 1.0)
    inside = (np.abs(x) < half * np.sqrt(np.maximum(along * (2.0 - along), 0.0))) & (y > top)
    dome = floor + 0.0026 * (np.abs(x) - 0.5 * half) ** 2 + np.where(x > 0, 6.0, 0.0)
    mediastinum = np.abs(x - turned_mm) < 27.0 + 0.0007 * (y - 10.0) ** 2
    centre = turned_mm + 0.14 * heart_mm
    heart = ((x - centre) / (heart_mm / 2)) ** 2 + ((y - floor + 52.0) / 58.0) ** 2 < 1.0
    fields = inside & (y < dome) & ~mediastinum & ~heart
    value = np.where(body, _SOFT, _AIR)
    value = np.where(fields, _LUNG, value)
    value = np.where((mediastinum | heart) & body & (y > top - 60.0), _HEART, value)
    value = np.where(body & (y >= dome) & inside, _HEART, value)
    ribs = sum(np.exp(-(((y - top - 26.0 * k + 0.0016 * x**2 - 0.1 * np.abs(x)) / 3.2) ** 2)) for k in range(1, 11))
    value = value + 0.05 * ribs * (inside & (y < dome))
    value = value + 0.02 * rng.standard_normal() * x / 200.0
    value = gaussian_filter(value, 1.2) + 0.008 * rng.standard_normal(value.shape)
    beside = fields.any(axis=1)
    spans = [np.ptp(np.flatnonzero(line)) + 1 for line in heart[beside] if line.any()]
    inner = [np.ptp(np.flatnonzero(line)) + 1 for line in fields[beside]]
    wide, thorax = max(spans) * _MM, max(inner) * _MM
    truth = {
        "heart_mm": float(wide), "thorax_mm": float(thorax), "cardiothoracic_ratio": float(wide / thorax),
        "right": fields & (x < turned_mm), "left": fields & (x > turned_mm),
    }  # fmt: skip
    return np.clip(value * 4200, 0, 4095).astype(np.uint16), truth


def patient(
    *,
    seed: int = 1,
    view: str = "PA",
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 9, 20),
    **shape: float,
) -> Phantom:
    """An adult with one frontal chest radiograph (DX, for presentation).

    Args:
        seed: decides noise and every UID.
        view: View Position.
        shape: as `picture` takes it.
    """
    who = person or Person(f"ISO-DEMO-THORAX-{seed}", "PHANTOM^THORAX", "M", "19640809", 1.78, 80.0)
    pixels, truth = picture(seed=seed, **shape)
    file, ds = chest_film(
        "thorax", who, pixels, seed=seed, at=at, series="Chest", mm=_MM, kvp=120, view=view,
        geometry="flat shadows, no magnification",
    )  # fmt: skip
    return Phantom(
        "chest radiograph of an adult",
        (file,),
        truth | {"study_uid": str(ds.StudyInstanceUID), "series_uid": str(ds.SeriesInstanceUID)},
    )
