"""Inputs of known truth for shipped analyses whose input takes a whole in-silico patient.

An analysis that can make its examples by arithmetic has them itself (`examples`, see `checks`). A radiograph of a chest
cannot be written in a few lines, and the catalogue imports no phantoms; so its examples stand here, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import read_header
from isocenter.space import Volume
from isocenter.testing.phantoms import chest

__all__ = ["EXAMPLES", "Example"]

Example = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Inputs by need, and the truth that `checks` holds the answer to."""


def _film(seed: int, opacity: str) -> Volume:
    (data,) = chest.patient(seed=seed, opacity=opacity).files
    return assemble(read_header(data).series[0], lambda _: data)[0]


def _chest_xray_opacity() -> Iterator[Example]:
    filled, clear = _film(1, "right lower"), _film(4, "")
    yield {"image": filled}, {"answer": "found", "findings": 1}
    yield {"image": clear}, {"answer": "none"}
    lateral = replace(filled, facts={**filled.facts, "ViewPosition": "LL"})
    yield {"image": lateral}, {"answer": "declined"}
    upside_down = replace(filled, array=np.flip(filled.array, 1).copy())
    yield {"image": upside_down}, {"answer": "declined"}
    noise = np.random.default_rng(0).integers(0, 4095, filled.array.shape).astype(filled.array.dtype)
    yield {"image": replace(filled, array=noise)}, {"answer": "declined"}


EXAMPLES: Mapping[str, Callable[[], Iterator[Example]]] = {"chest_xray_opacity": _chest_xray_opacity}
"""Name of an analysis -> its examples."""
