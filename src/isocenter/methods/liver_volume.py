"""How large a liver should be for a body of a size, and whether what a resection leaves is enough.

Sources: Urata et al., Hepatology 21 (1995) 1317 (Japan, BSA by DuBois); Vauthey et al., Liver Transpl 8 (2002) 233
(western adults, BSA by Mosteller).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from isocenter.errors import Refused
from isocenter.methods.cine import body_surface_m2

__all__ = ["FORMULAE", "standard_volume_ml"]


FORMULAE: dict[str, tuple[Literal["mosteller", "dubois"], str, Callable[[float], float]]] = {
    "Urata 1995": ("dubois", "adults and children, Japan", lambda bsa: 706.2 * bsa + 2.4),
    "Vauthey 2002": ("mosteller", "adults, North America and Europe", lambda bsa: 1267.28 * bsa - 794.41),
}
"""Name -> (formula of the body surface, population, volume in mL by body surface in m2)."""


def standard_volume_ml(height_m: float, weight_kg: float, formula: str) -> float:
    """Standard liver volume.

    Raises:
        Refused: for an unknown formula, or a height or weight that no adult has, as when units are mixed up.

    >>> round(standard_volume_ml(1.80, 80.0, "Vauthey 2002"), 2)
    1740.15
    """
    if formula not in FORMULAE:
        raise Refused(f"formula '{formula}'", f"there are {', '.join(FORMULAE)}", "name one of these")
    if not 1.2 <= height_m <= 2.3 or not 30.0 <= weight_kg <= 250.0:
        raise Refused(
            f"a height of {height_m:g} m and a weight of {weight_kg:g} kg",
            "standard volumes are of adults; centimetres or pounds may have been given",
            "give metres and kilograms",
        )
    surface, _, volume = FORMULAE[formula]
    return volume(body_surface_m2(height_m, weight_kg, surface))
