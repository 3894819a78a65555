"""What an analysis says is about the images that it was given; what is about others is declined in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from isocenter.analysis.need import Dated
from isocenter.analysis.protocol import Answer
from isocenter.analysis.run import Request, run, run_apart
from isocenter.analysis.shown import Shown
from isocenter.errors import Refused
from isocenter.record import Finding, Measurement, Outcome, codes
from isocenter.space import Geometry, Reference, Region, Shape, Volume

FRAME = "2.25.70"
GRID = Geometry.regular(shape=(3, 8, 8), spacing_mm=(5.0, 2.0, 2.0), frame_of_reference=FRAME)
IMAGES = ("2.25.31", "2.25.32", "2.25.33")
IMAGE = Volume(np.zeros(GRID.shape, np.float32), GRID, series_uid="2.25.3", instance_uids=IMAGES)
EARLIER = replace(IMAGE, series_uid="2.25.4", instance_uids=("2.25.41", "2.25.42", "2.25.43"))
GIVEN: Mapping[str, Any] = {"image": IMAGE, "before": (Dated("2.25.2", date(2026, 1, 1), EARLIER),), "mask": None}
ONE = np.zeros(GRID.shape, bool)
ONE[1, 2:4, 2:4] = True
WHERE = Region(GRID, mask=ONE, series_uid="2.25.3", instance_uid="2.25.32")
POINT = Region(GRID, Shape.POINT, None, np.array([[4.0, 4.0, 5.0]]), series_uid="2.25.3")


def found(where: Region | None = WHERE, *measured: Measurement, **more: Any) -> Answer:
    return Answer.found(Finding(codes.LESION, where=where, measurements=measured), **more)


def held(answer: Answer, given: Mapping[str, Any] = GIVEN) -> Answer:
    return Shown.of(given, ("2.25.5",)).hold("bright", answer)


FINE = Geometry.regular(shape=(15, 16, 16), spacing_mm=(1.0, 1.0, 1.0), frame_of_reference=FRAME)


@pytest.mark.parametrize(
    "answer",
    [
        found(),
        found(None),
        found(POINT),
        found(replace(WHERE, series_uid="", instance_uid="")),
        found(replace(WHERE, series_uid="2.25.4", instance_uid="2.25.41")),  # of the earlier study
        found(replace(WHERE, series_uid="2.25.5")),  # a bed, which the plan names
        found(Region(GRID.cropped((1, 0, 0), (3, 8, 8)), mask=np.ones((2, 8, 8), bool))),
        found(Region(FINE, mask=np.ones(FINE.shape, bool))),  # on finer voxels, whose edge lies beyond the centres
        found(Region(GRID, mask=np.zeros(GRID.shape, bool))),
        found(WHERE, Measurement(codes.VOLUME, 0.08, "mL"), Measurement(codes.LENGTH, 15.0, "mm")),
        # 16 x 16 mm in the plane, and a plane askew through all of it is larger than any face: sqrt(256^2 + 2 * 240^2)
        found(WHERE, Measurement(codes.AREA, 256.0, "mm2"), Measurement(codes.AREA, 4.25, "cm2")),
        found(WHERE, Measurement(codes.SURFACE_AREA, 900.0, "mm2"), Measurement(codes.AREA, -12.0, "%")),
        found(WHERE, Measurement(codes.VOLUME, -12.0, "%"), Measurement(codes.MEAN, -1000.0, "[hnsf'U]")),
        Answer.none(maps={"heat": IMAGE}),
        Answer.declined("it is blurred"),
    ],
)
def test_what_is_about_the_images_that_were_given_stands(answer: Answer) -> None:
    assert held(answer) is answer


BESIDE = Geometry.regular(shape=(3, 8, 8), spacing_mm=(5.0, 2.0, 2.0), origin_mm=(0, 0, 90), frame_of_reference=FRAME)
OTHER = Geometry.regular(shape=(3, 8, 8), spacing_mm=(5.0, 2.0, 2.0), frame_of_reference="2.25.71")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (found(replace(WHERE, series_uid="2.25.99")), "found 'Lesion' on series 2.25.99: that series is none of those"),
        (found(replace(POINT, series_uid="2.25.99")), "on series 2.25.99"),
        (found(replace(WHERE, instance_uid="2.25.98")), "on image 2.25.98: that image is none of those"),
        (found(Region(OTHER, mask=ONE)), "in frame of reference 2.25.71 .*what it was given lies in .*2.25.70"),
        (found(Region(BESIDE, mask=ONE)), "at 4.0, 4.0, 95.0 mm: that place lies outside of the images"),
        (
            found(Region(GRID, Shape.POLYLINE, None, np.array([[4.0, 4.0, 5.0], [4.0, 4.0, 50.0]]))),
            "at 4.0, 4.0, 50.0 mm",
        ),
        (
            found(Region(Geometry.regular(shape=(3, 8, 8), reference=Reference.PIXEL), mask=ONE)),
            r"without a name \(pixel\)",
        ),
        (Answer.none(maps={"heat": replace(IMAGE, series_uid="2.25.99")}), "the map 'heat' on series 2.25.99"),
        (Answer.none(maps={"heat": replace(IMAGE, instance_uids=("2.25.98",))}), "the map 'heat' on image 2.25.98"),
        (Answer.none(maps={"heat": replace(IMAGE, geometry=BESIDE)}), "the map 'heat' at"),
        (found(WHERE, Measurement(codes.VOLUME, 80.0, "mL")), "Volume = 80 mL: .* hold no more than 3.84"),
        (found(WHERE, Measurement(codes.VOLUME, -0.1, "mL")), "Volume = -0.1 mL: it cannot be below nothing"),
        (found(WHERE, Measurement(codes.LONG_AXIS, 99.0, "mm")), "Long axis = 99 mm"),
        (found(WHERE, Measurement(codes.DIAMETER, 99.0, "cm")), "Diameter = 99 cm"),
        (
            found(WHERE, Measurement(codes.AREA, 426.0, "mm2")),
            "Area = 426 mm2: .* hold no more than 425.1. Check the unit",
        ),
        (found(WHERE, Measurement(codes.AREA, 256.0, "cm2")), "Area = 256 cm2: .* hold no more than 4.251"),
        (found(WHERE, Measurement(codes.VISCERAL_FAT, 90.0, "cm2")), "Visceral fat = 90 cm2: .* no more than 4.251"),
        (found(WHERE, Measurement(codes.SURFACE_AREA, -1.0, "mm2")), "Surface area = -1 mm2: it cannot be below"),
        (found(WHERE, Measurement(codes.PROBABILITY, 1.2, "1")), "Probability = 1.2 1"),
        (Answer.none(measurements=(Measurement(codes.VOLUME, 80.0, "mL"),)), "Volume = 80 mL"),
    ],
)
def test_what_is_about_others_is_refused_by_name(answer: Answer, words: str) -> None:
    with pytest.raises(Refused, match=words):
        held(answer)


@pytest.mark.parametrize("shear", [0.0, 0.6])
def test_no_plane_through_the_images_cuts_an_area_that_would_be_refused(shear: float) -> None:
    """Corners of a cut are where the plane crosses the twelve edges; what is a tenth more than any holds is refused."""
    affine = GRID.affine.copy()
    affine[:3, 0] += (0.0, 5.0 * shear, 0.0)  # a tilted gantry
    grid = Geometry(affine, GRID.shape, FRAME)
    given = {"image": Volume(np.zeros(grid.shape, np.float32), grid)}
    edges = (affine[:3, :3] * np.array(grid.shape)).T
    corners = np.array([np.array(one) @ edges for one in np.ndindex(2, 2, 2)])
    pairs = [(a, b) for a in range(8) for b in range(a) if (a ^ b).bit_count() == 1]
    rng, largest = np.random.default_rng(6), 0.0
    for _ in range(400):
        normal = rng.normal(size=3) * (1.0, 1.0, 3.0)
        normal /= np.linalg.norm(normal)
        off = (corners - corners.mean(0)) @ normal
        cut = [
            corners[a] + (corners[b] - corners[a]) * off[a] / (off[a] - off[b]) for a, b in pairs if off[a] * off[b] < 0
        ]
        across = np.linalg.svd(normal[None])[2][1:]
        area = ConvexHull(np.array(cut) @ across.T).volume
        held(found(None, Measurement(codes.AREA, area, "mm2")), given)
        largest = max(largest, area)
    with pytest.raises(Refused, match="hold no more than"):
        held(found(None, Measurement(codes.AREA, 1.8 * largest, "mm2")), given)


def test_where_a_unit_is_a_pixel_no_size_is_held_to_millimetres() -> None:
    picture = Volume(np.zeros((1, 8, 8), np.float32), Geometry.regular(shape=(1, 8, 8), reference=Reference.PIXEL))
    answer = Answer.none(measurements=(Measurement(codes.LENGTH, 120.0, "mm"), Measurement(codes.AREA, 9e9, "mm2")))
    assert held(answer, {"image": picture}) is answer


def test_a_structure_that_lies_askew_is_asked_voxel_by_voxel() -> None:
    """The box of a thing that lies askew has corners outside of images that hold the whole of it."""
    turned = np.eye(4)
    turned[:3, :3] = np.array([[0.0, 0.7071, -0.7071], [0.0, 0.7071, 0.7071], [1.0, 0.0, 0.0]])
    turned[:3, 3] = (20.0, 0.0, 0.0)
    askew = Geometry(turned, (3, 29, 29), FRAME)
    straight = Geometry.regular(shape=(3, 41, 41), spacing_mm=(1.0, 1.0, 1.0), frame_of_reference=FRAME)
    index = np.indices(straight.shape).reshape(3, -1).T
    mask = askew.contains(straight.to_patient(index)).reshape(straight.shape)
    picture = Volume(np.zeros(askew.shape, np.float32), askew)
    assert held(found(Region(straight, mask=mask)), {"image": picture})
    mask[1, 0, 0] = True
    with pytest.raises(Refused, match=r"at 0\.0, 0\.0, 1\.0 mm"):
        held(found(Region(straight, mask=mask)), {"image": picture})


def _given() -> dict[str, Any]:
    return dict(GIVEN)


@pytest.mark.parametrize("here", [run, run_apart])
def test_a_run_that_names_an_image_it_never_saw_is_declined(here: Any) -> None:
    request = Request("strange_analyses:OfAnother", "2.25.1", _given, datetime(2026, 1, 2, tzinfo=UTC))
    result = here(request).result
    assert result.outcome is Outcome.DECLINED
    assert "found 'Lesion' on image 2.25.98: that image is none of those that it was given" in result.reasons[0]
    assert not result.findings and not result.measurements
