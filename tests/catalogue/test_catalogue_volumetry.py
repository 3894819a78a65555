"""Volumetry of several structures at once, with what it remarks and what it declines."""

from pathlib import Path

import numpy as np
import pytest
from real_series import loaded, zipped

from isocenter.catalogue.volumetry import SPHERICITY, Volumetry
from isocenter.errors import Refused
from isocenter.record import Outcome, codes
from isocenter.space import Geometry, Reference, Region, Shape

GRID = Geometry.regular(shape=(24, 32, 40), spacing_mm=(2.0, 1.0, 1.0))


def box(*sides: tuple[int, int], label: str = "") -> Region:
    mask = np.zeros(GRID.shape, bool)
    mask[tuple(slice(a, b) for a, b in sides)] = True
    return Region(GRID, mask=mask, label=label)


BIG = box((4, 14), (5, 25), (5, 25), label="big")
SMALL = box((18, 20), (5, 7), (5, 7), label="small")


def test_fractions_of_voxels_add_up_to_the_volume() -> None:
    answer = Volumetry().run((BIG.of_occupancy(7.25), SMALL.of_occupancy(0.031)))
    big, small = answer.findings
    assert [(m.value, m.definition) for m in big.measurements[:2]] == [
        (7.25, "sum of fractions (occupancy)"),
        (pytest.approx(8.0), "voxel counting"),
    ]
    assert big.words.startswith("big: 7.2 mL") and small.words.startswith("small: 0.031 mL")
    assert "small is given as fractions of voxels" in "\n".join(answer.reasons)
    assert len(Volumetry().run((BIG.of_occupancy(7.25),), smallest_ml=7.5).findings) == 0


def test_a_slice_left_out_between_outlines_is_told_with_what_it_would_hold() -> None:
    mask = BIG.mask.copy()
    mask[8] = False
    (told,) = [r for r in Volumetry().run((Region(GRID, mask=mask, label="cut"),)).reasons if "WARNING" in r]
    assert "no outline on 1 slice between" in told and "0.8 mL larger" in told
    mask[5:12] = False  # two caps, seven slices apart
    mask[4, :, :] = BIG.mask[4]
    assert not any("WARNING" in r for r in Volumetry().run((Region(GRID, mask=mask, label="caps"),)).reasons)
    beside = box((4, 6), (5, 9), (5, 9), label="beside").mask | box((7, 9), (20, 24), (20, 24)).mask
    assert not any("WARNING" in r for r in Volumetry().run((Region(GRID, mask=beside),)).reasons)


def test_each_structure_is_a_finding() -> None:
    answer = Volumetry().run((BIG, SMALL))
    assert answer.outcome is Outcome.FOUND
    assert [f.where for f in answer.findings] == [BIG, SMALL]
    big = {(m.what, m.definition): m for m in answer.findings[0].measurements}
    assert big[codes.VOLUME, "voxel counting"].value == pytest.approx(8.0)
    assert {m.what for m in answer.findings[0].measurements} == {
        codes.VOLUME, codes.LONG_AXIS, codes.SHORT_AXIS, codes.DIAMETER, codes.SURFACE_AREA, SPHERICITY,
        codes.COMPONENTS,
    }  # fmt: skip
    assert answer.findings[0].words.startswith("big: 8.0 mL")
    assert any("small has 8 voxels" in r for r in answer.reasons)


def test_small_ones_are_left_out_when_asked() -> None:
    answer = Volumetry().run((BIG, SMALL), smallest_ml=1.0)
    assert len(answer.findings) == 1
    assert answer.reasons == ("1 below 1 mL left out",)
    assert Volumetry().run((SMALL,), smallest_ml=1.0).outcome is Outcome.NONE


def test_parts_and_edges_are_remarked() -> None:
    assert BIG.mask is not None and SMALL.mask is not None
    both = Region(GRID, mask=BIG.mask | SMALL.mask, label="both")
    edge = box((0, 5), (5, 9), (5, 9), label="edge")
    answer = Volumetry().run((both, edge))
    assert any("largest of 2 parts (100 %)" in r for r in answer.reasons)
    assert any("edge reaches the edge of the image" in r for r in answer.reasons)
    assert "in 2 parts" in answer.findings[0].words


def test_where_images_end_is_not_known_of_a_mask_without_them() -> None:
    ends = box((0, 24), (5, 9), (5, 9), label="ends")
    (said,) = Volumetry().run((ends.without_images(),)).reasons
    assert said.startswith("ends: the images that it was drawn on are not in the study; whether it reaches their first")
    side = box((0, 24), (0, 9), (5, 9), label="side")
    for region in (side.without_images(), ends):
        (said,) = Volumetry().run((region,)).reasons
        assert said == f"{region.label} reaches the edge of the image and may go on outside"
    assert not Volumetry().run((BIG.without_images(),)).reasons


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mask_on_every_second_slice_is_told_and_parts_are_not(axis: int) -> None:
    """Its volume is half of what was meant; a structure set drawn so is refused when it is read."""
    assert BIG.mask is not None and SMALL.mask is not None
    rows = np.arange(GRID.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
    leaping = Region(GRID, mask=BIG.mask & (rows % 2 == 0), label="leaping")
    answer = Volumetry().run((leaping,))
    assert any("WARNING: leaping has voxels on every 2. slice only" in r for r in answer.reasons)
    parts = BIG.mask | SMALL.mask
    parts[16, 1:3, 1:3] = True
    answer = Volumetry().run((Region(GRID, mask=parts, label="three parts"),))
    assert any("largest of 3 parts" in r for r in answer.reasons)
    assert not any("WARNING" in r for r in answer.reasons)


def test_one_bad_structure_stops_no_other() -> None:
    empty = Region(GRID, mask=np.zeros(GRID.shape, bool), label="empty")
    point = Region(GRID, Shape.POINT, points_mm=np.zeros((1, 3)))
    answer = Volumetry().run((empty, BIG, point))
    assert len(answer.findings) == 1
    assert any(r.startswith("empty:") for r in answer.reasons)
    assert any(r.startswith("structure 3:") for r in answer.reasons)


def test_what_cannot_be_measured_is_declined() -> None:
    flat = Geometry.regular(shape=(1, 8, 8), reference=Reference.PIXEL)
    with pytest.raises(Refused, match="needs millimetres"):
        Volumetry().run((Region(flat, mask=np.ones((1, 8, 8), bool), label="shadow"),))
    many = tuple(Region(flat, mask=np.ones((1, 8, 8), bool), label=f"shadow {n}") for n in range(45))
    with pytest.raises(Refused, match="measured: shadow 0 and 44 others: a region") as said:
        Volumetry().run(many)
    assert len(str(said.value)) < 250, "one reason is said once"
    with pytest.raises(Refused, match="the set is empty"):
        Volumetry().run(())


@pytest.mark.data
def test_a_real_structure_set(data: Path) -> None:
    archive = data / "sarcoma_pet_ct_mr" / "STS_002.zip"
    if not archive.is_file():
        pytest.skip("sarcoma_pet_ct_mr is not among the data")
    _, drawn = loaded(zipped(archive, "/PET/"))
    answer = Volumetry().run(drawn)
    size = {(m.what, m.definition): m.value for m in answer.findings[0].measurements}
    assert size[codes.VOLUME, "voxel counting"] == pytest.approx(54.28, abs=0.01)
    long, short = (next(v for (w, _), v in size.items() if w == a) for a in (codes.LONG_AXIS, codes.SHORT_AXIS))
    assert 0 < short <= long <= next(v for (w, _), v in size.items() if w == codes.DIAMETER)
