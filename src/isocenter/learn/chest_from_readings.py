"""Signed reports as radiographs with outlines of lungs and heart, as readers kept, changed or drew them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.film import film_greys
from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, in_eight_bits, laid
from isocenter.learn.kinds import Structures
from isocenter.learn.outlines_from_readings import DRAWN, on_grid
from isocenter.learn.regions_from_readings import Drawn, Regions, grey
from isocenter.learn.signed_reports import Images
from isocenter.methods.film_view import hung_of, said_lateral, towards_of, view_of
from isocenter.record import Code
from isocenter.space import Shape, Volume

__all__ = ["OutlinedChests"]

_FOLDERS = {1: "right", 2: "left", 3: "heart"}
"""Label -> the folder that `outlined_films` looks for."""
_FRONTAL = ("", "PA", "AP")


class OutlinedChests(Regions):
    """Reports teach where lungs and heart lie on a film; see `teachers.Teacher`.

    What a report leaves open, the heart or a lung, is not taught: neither where it is nor that it is not there.
    """

    _name_them = "outline lungs and heart, each by its name"

    def __init__(self, how: Structures, analysis: str, looks_for: Collection[Code]) -> None:
        self._how = how
        super().__init__(how, analysis, looks_for, first=1, may_lack=True, shapes=(Shape.MASK, *DRAWN))

    def _lacks(
        self, regions: Collection[int], bare: Collection[int], call: Mapping[str, Any] | None, *, nameless: bool
    ) -> str:  # fmt: skip
        return "" if {1, 2} <= set(regions) or 3 in regions else "neither both lungs nor the heart are outlined"

    def _apart(self, regions: Mapping[int, Sequence[Drawn]]) -> str:
        return ""

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """``images``, ``right``, ``left`` and ``heart`` with a PNG each, numbered, as `outlined_films` reads them.

        Raises:
            Conflict: the folder holds something already. Refused: no film can be learnt from.
        """

        def keep(example: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            volume, digests = self._image(example, images)
            towards, picture = _frontal(volume)
            drawn = {}
            for label, regions in example.answer.regions.items():
                mask = np.any([on_grid(region, volume.geometry) for region in regions], axis=0)[0]
                drawn[_FOLDERS[label]] = hung_of(mask.astype(np.uint8) * 255, towards)
            _save(out / "images", name, in_eight_bits(picture))
            for folder, mask in drawn.items():
                _save(out / folder, name, mask)
            return f"images/{name}.png", [self._how.classes[k - 1] for k in sorted(example.answer.regions)], digests

        return laid(out, examples, self._how.classes, keep, told)


def _frontal(volume: Volume) -> tuple[str, npt.NDArray[np.float32]]:
    """Where rows and columns run in the patient, and the film as it is hung, bright where dense.

    Raises:
        Refused: it is no film, or none from the front.
    """
    if volume.geometry.shape[0] != 1:
        raise Refused(
            "outlines on a volume where films are learnt from",
            "a chest radiograph is one picture",
            "take a recipe of volumes, or examples of films",
        )
    view = view_of(volume.facts)
    if view not in _FRONTAL:
        raise Refused(
            f"a film of the view '{view}'", "lungs and heart are learnt on frontal ones", "outline a PA or AP film"
        )
    if words := said_lateral(volume):
        raise Refused(
            f"a film described as '{words}'", "lungs and heart are learnt on frontal ones", "outline a PA or AP film"
        )
    towards = towards_of(volume)
    plane = np.asarray(grey(volume).array)[0]
    return towards, hung_of(film_greys(plane, volume.facts), towards)


def _save(folder: Path, name: str, plane: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    folder.mkdir(exist_ok=True)
    Image.fromarray(plane).save(folder / f"{name}.png")
