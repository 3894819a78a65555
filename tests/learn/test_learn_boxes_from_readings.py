"""From findings of signed reports to pictures with boxes: where they lie, and pictures on which nothing was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.learn.boxed import read_boxed
from isocenter.learn.boxes_from_readings import BoxedFindings, box_of
from isocenter.learn.kinds import Boxes
from isocenter.learn.signed_reports import Signed
from isocenter.record import Finding, Origin, Outcome, Result, Verdict, codes
from isocenter.space import Axis, Geometry, Reference, Region, Shape, Volume

NOW = datetime(2026, 11, 16, 8, tzinfo=UTC)
GRID = Geometry.regular(shape=(1, 40, 60), spacing_mm=(1.0, 0.2, 0.2), reference=Reference.PLANE)
HOW = Boxes("spots", ("opacity",))


def marked(shape: Shape, *places: tuple[float, float]) -> Region:
    """By column and row, the middle of the first pixel at 0."""
    return Region(GRID, shape, None, GRID.to_patient([(0.0, row, column) for column, row in places]))


def drawn(top: int, left: int, grid: Geometry = GRID) -> Region:
    mask = np.zeros(grid.shape, bool)
    mask[0, top : top + 4, left : left + 7] = True
    return Region(grid, mask=mask)


def report(study: str, *where: Region | None, verdict: Verdict = Verdict.KEPT) -> Signed:
    findings = tuple(Finding(codes.OPACITY, where=one, verdict=verdict, tracking=str(k)) for k, one in enumerate(where))
    outcome = Outcome.FOUND if where else Outcome.NONE
    result = Result("1.2", outcome, Origin("machine", "finder", "1"), NOW, findings=findings)
    final = bool(where) and verdict is not Verdict.STRUCK
    call = {"analysis": "finder", "mode": "concurrent", "machine": bool(where), "final": final, "first": None}
    return Signed(study, f"|{study}", "ito", NOW.isoformat(), [call], lambda: [result], lambda: [result])


@pytest.mark.parametrize(
    ("region", "box"),
    [
        (drawn(5, 10), (10, 5, 17, 9)),
        (marked(Shape.BOX, (10.5, 4.5), (2.5, 9.5)), (3, 5, 11, 10)),
        (marked(Shape.POLYGON, (3, 3), (9, 4), (5, 12)), (3.5, 3.5, 9.5, 12.5)),
        (marked(Shape.ELLIPSE, (10, 10), (30, 10), (20, 6), (20, 14)), (10.5, 6.5, 30.5, 14.5)),
        # turned by 45 degrees: half axes of 10 and 4 reach sqrt((100 + 16) / 2) along each axis of the picture
        (marked(Shape.ELLIPSE, *((20 + s * np.sqrt(50), 20 + s * np.sqrt(50)) for s in (-1, 1)),
                *((20 + s * np.sqrt(8), 20 - s * np.sqrt(8)) for s in (-1, 1))),
         (20.5 - 58**0.5, 20.5 - 58**0.5, 20.5 + 58**0.5, 20.5 + 58**0.5)),
        (marked(Shape.BOX, (-5, 30), (4.5, 90)), (0, 30.5, 5, 40)),
    ],
)  # fmt: skip
def test_the_smallest_box(region: Region, box: tuple[float, ...]) -> None:
    assert np.allclose(box_of(region, GRID), box, atol=1e-6)


def test_a_folder_of_pictures_with_and_without_boxes(tmp_path: Path) -> None:
    teacher = BoxedFindings(HOW, "finder", ())
    line = marked(Shape.POLYLINE, (1, 1), (9, 9))
    told, left = teacher.said([
        report("a", drawn(5, 10), drawn(20, 30)), report("b"), report("c", drawn(5, 10), verdict=Verdict.STRUCK),
        report("d", drawn(5, 10), line), report("e", drawn(3, 3)), report("f", drawn(3, 3)), report("g", drawn(1, 1)),
    ])  # fmt: skip
    assert left == {"d": "'opacity' is in the report without an outline"}
    made, _ = teacher.examples(told, 0.25)
    grey = np.arange(2400, dtype=np.int16).reshape(GRID.shape)
    colours = np.stack([np.full(GRID.shape, v, np.uint8) for v in (10, 20, 30)])
    volumes = {
        "e": Volume(colours, GRID, axes=(Axis("channel", ("R", "G", "B")),)),
        "f": Volume(np.zeros((3, 40, 60)), Geometry.regular(shape=(3, 40, 60))),
        "g": Volume(np.zeros((1, 20, 30)), Geometry.regular(shape=(1, 20, 30), reference=Reference.PLANE)),
    }

    def images(study: str, on: Region | None = None, image: str = "") -> tuple[Volume, Sequence[str]]:
        return volumes.get(study, Volume(grey, GRID)), [study * 64]

    said = teacher.written(tmp_path / "set", made, images, {})
    assert (said["n"], said["boxes"], said["by_class"]) == (4, {"opacity": 3}, {"opacity": 2})
    assert said["by_mode"] == {"followed": 3, "overruled": 1} and said["left"] == {
        "a volume or a film where the recipe is of pictures": 1, "an outline on another grid than its picture": 1,
    }  # fmt: skip
    read, missing = read_boxed(tmp_path / "set", HOW)
    assert not missing and [len(one.boxes) for one in read] == [2, 0, 0, 1]
    assert read[0].boxes.tolist() == [[10, 5, 17, 9], [30, 20, 37, 24]] and read[3].picture[0, 0].tolist() == [
        10,
        20,
        30,
    ]
    assert [one.weight for one in read] == [0.25, 0.25, 1.0, 0.25] and len({one.whose for one in read}) == 4
    assert read[0].picture[0, 0, 0] == 0 and read[0].picture[-1, -1, 0] == 255
    with pytest.raises(Refused, match="no 'spot' on 4 pictures"):
        BoxedFindings(replace(HOW, classes=("opacity", "spot")), "finder", ()).written(
            tmp_path / "other", made, images, {}
        )


def test_boxes_that_nobody_drew_are_refused() -> None:
    with pytest.raises(Refused, match="2 signed reports teach no outline: 1: 'opacity' is in the report without"):
        BoxedFindings(HOW, "finder", ()).said([report("a"), report("b", None)])
    with pytest.raises(Refused, match="beside its picture"):
        box_of(marked(Shape.BOX, (70, 5), (90, 9)), GRID)
