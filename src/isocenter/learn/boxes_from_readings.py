"""Signed reports as pictures with boxes: the smallest box about each thing that readers outlined or marked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, in_eight_bits, laid
from isocenter.learn.kinds import Boxes
from isocenter.learn.regions_from_readings import Regions
from isocenter.learn.signed_reports import Images
from isocenter.record import Code
from isocenter.space import Geometry, Region, Shape, Volume

__all__ = ["BoxedFindings", "box_of"]

_SHAPES = (Shape.MASK, Shape.BOX, Shape.POLYGON, Shape.ELLIPSE)
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class BoxedFindings(Regions):
    """Reports teach where the things of a detector are; see `teachers.Teacher`.

    What was looked for and is not in the report is not there: a picture without boxes teaches, too.
    """

    def __init__(self, how: Boxes, analysis: str, looks_for: Collection[Code]) -> None:
        self._how = how
        super().__init__(how, analysis, looks_for, first=0, may_lack=True, shapes=_SHAPES)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """``JPEGImages`` with an 8-bit PNG each and ``Annotations`` of Pascal VOC, numbered, as `boxed` reads them.

        Raises:
            Conflict: the folder holds something already. Refused: a thing of the recipe is on no picture.
        """
        facts = {**told, "boxes": dict.fromkeys(self._how.classes, 0)}

        def keep(example: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            regions: Mapping[int, Sequence[Region]] = example.answer.regions
            volume, digests = self._image(example, images)
            picture = _picture(volume)
            boxes = [
                (self._how.classes[kind], box_of(region, volume.geometry))
                for kind in sorted(regions) for region in regions[kind]
            ]  # fmt: skip
            _save(out, name, picture, boxes)
            for kind, _ in boxes:
                facts["boxes"][kind] += 1
            return f"JPEGImages/{name}.png", [self._how.classes[kind] for kind in sorted(regions)], digests

        report = laid(out, examples, self._how.classes, keep, facts)
        for name, n in report["by_class"].items():
            if not n:
                raise Refused(f"no '{name}' on {report['n']} pictures", "what is nowhere is not learnt",
                              "wait for reports that show it, or leave it out of the recipe")  # fmt: skip
        return report


def box_of(region: Region, grid: Geometry) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the smallest box about a region, in pixels of its picture from the upper left edge
    of the first.

    Raises:
        Refused: it does not lie on this picture.
    """
    if region.shape is Shape.MASK:
        if not region.geometry.same_grid(grid):
            raise Refused(
                "an outline on another grid than its picture",
                "its pixels are not those of the picture",
                "outline it on the picture itself and sign again",
            )
        (_, top, left), (_, bottom, right) = region.bounds
        return float(left), float(top), float(right), float(bottom)
    assert region.points_mm is not None
    places = grid.to_index(region.points_mm)[:, :0:-1] + 0.5  # column and row; the middle of the first pixel is 0.5
    if region.shape is Shape.ELLIPSE:
        middle, axes = places[:2].mean(0), (places[[0, 2]] - places[[1, 3]]) / 2
        reach = np.sqrt((axes**2).sum(0))
        low, high = middle - reach, middle + reach
    else:
        low, high = places.min(0), places.max(0)
    rows, columns = grid.shape[1:]
    (left, top), (right, bottom) = np.clip(low, 0, [columns, rows]), np.clip(high, 0, [columns, rows])
    if right <= left or bottom <= top:
        raise Refused("a mark beside its picture", "none of it lies there", "outline it on the picture and sign again")
    return float(left), float(top), float(right), float(bottom)


def _picture(volume: Volume) -> npt.NDArray[np.uint8]:
    """(rows, columns) of 8 bits, or (rows, columns, 3) in colour."""
    names = [axis.name for axis in volume.axes]
    if volume.geometry.shape[0] != 1 or names not in ([], ["channel"]):
        raise Refused(
            "a volume or a film where the recipe is of pictures",
            "a box lies on one picture",
            "take a recipe of volumes or films, or examples of pictures",
        )
    plane = np.asarray(volume.array)[..., 0, :, :]
    if names and plane.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(plane, 0, -1)[..., :3])
    return in_eight_bits(plane.mean(0) if names else plane)


def _save(out: Path, name: str, picture: npt.NDArray[np.uint8], boxes: Sequence[tuple[str, Sequence[float]]]) -> None:
    from PIL import Image

    for folder in ("JPEGImages", "Annotations"):
        (out / folder).mkdir(exist_ok=True)
    Image.fromarray(picture).save(out / "JPEGImages" / f"{name}.png")
    note = ElementTree.Element("annotation")
    size = ElementTree.SubElement(note, "size")
    for side, value in (("width", picture.shape[1]), ("height", picture.shape[0])):
        ElementTree.SubElement(size, side).text = str(value)
    for kind, sides in boxes:
        thing = ElementTree.SubElement(note, "object")
        ElementTree.SubElement(thing, "name").text = kind
        box = ElementTree.SubElement(thing, "bndbox")
        for side, value in zip(_SIDES, sides, strict=True):
            ElementTree.SubElement(box, side).text = f"{value:.3f}"
    wholly.write(out / "Annotations" / f"{name}.xml", ElementTree.tostring(note, encoding="unicode") + "\n")
