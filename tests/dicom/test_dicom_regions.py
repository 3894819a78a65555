"""Contours to masks."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.dicom.regions import images_named, regions
from isocenter.dicom.scan import scan
from isocenter.errors import IsocenterError, NotFound, Refused
from isocenter.record import Series
from isocenter.space import Shape, Volume


def structure_set(contours: dict[str, list[list[tuple[float, float, float]]]], **facts: Any) -> bytes:
    ds = made.dataset(
        1, sop_class=made.RTSTRUCT, modality="RTSTRUCT", series="1.2.77", PixelData=None, Rows=None, Columns=None,
        StructureSetLabel="drawn",
    )  # fmt: skip
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], [Dataset()]
    for n, (name, outlines) in enumerate(contours.items(), 1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = n, name
        roi.ReferencedFrameOfReferenceUID = facts.get("frame", "1.2.9")
        drawn.ReferencedROINumber, drawn.ContourSequence = n, []
        for outline in outlines:
            contour = Dataset()
            contour.ContourGeometricType = facts.get("kind", "CLOSED_PLANAR")
            contour.NumberOfContourPoints = len(outline)
            if images := facts.get("images"):
                contour.ContourImageSequence = [Dataset()]
                contour.ContourImageSequence[0].ReferencedSOPInstanceUID = images[len(drawn.ContourSequence)]
            contour.ContourData = [float(f"{v:.5f}") for point in outline for v in point]
            drawn.ContourSequence.append(contour)
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(drawn)
    return made.written(ds)


def square(z: float, low: float, high: float) -> list[tuple[float, float, float]]:
    return [(low, low, z), (high, low, z), (high, high, z), (low, high, z)]


def volume(slices: int = 5) -> Volume:
    empty = np.zeros((20, 20), np.uint16)
    files = [made.made(n, pixels=empty, ImagePositionPatient=[0, 0, 2.0 * n]) for n in range(slices)]
    series, read = made.record(files)
    return assemble(series, read)[0]


def drawn(data: bytes, onto: Volume | None) -> tuple[Any, ...]:
    series, read = made.record([data])
    return regions(series, read, onto)


def test_a_square_is_filled_by_pixel_centres() -> None:
    (region,) = drawn(structure_set({"GTV": [square(4.0, 4.5, 9.5)]}), volume())
    assert region.label == "GTV" and region.shape is Shape.MASK and region.series_uid == "1.2.3.4"
    assert region.voxels == 25 and region.bounds == ((2, 5, 5), (3, 10, 10))
    assert region.volume_ml == pytest.approx(25 * 2 / 1000)


def test_a_ring_keeps_its_hole_and_islands_add() -> None:
    ring = {
        "ring": [square(2.0, 2.5, 12.5), square(2.0, 5.5, 8.5)],
        "islands": [square(0.0, 0.5, 3.5), square(6.0, 9.5, 11.5)],
    }
    ring_, islands = drawn(structure_set(ring), volume())
    assert ring_.voxels == 100 - 9 and not ring_.mask[1, 7, 7]
    assert islands.voxels == 9 + 4


def test_an_outline_that_is_written_twice_is_one() -> None:
    """It was a hole in itself: the slice was lost, or the whole structure."""
    once, again = square(2.0, 2.5, 12.5), square(2.0, 2.5, 12.5)
    again = [*again[2:], *again[:2]][::-1]  # begun elsewhere, and drawn the other way round
    (region,) = drawn(structure_set({"GTV": [once, again, square(4.0, 2.5, 12.5)]}), volume())
    assert region.voxels == 200 and region.volume_ml == pytest.approx(200 * 2 / 1000)


def test_contours_that_cross_are_parts_of_one_unless_they_are_said_to_exclude() -> None:
    """What two strokes shared was taken away from both: 420 mL were measured of 480."""
    left = square(2.0, 2.5, 10.5)
    right = [(x + 4.0, y, z) for x, y, z in left]
    file = structure_set({"GTV": [left, right, square(4.0, 2.5, 10.5)]})
    (region,) = drawn(file, volume())
    assert region.voxels == 8 * 12 + 64 and region.volume_ml == pytest.approx((8 * 12 + 64) * 2 / 1000)
    (apart,) = drawn(structure_set({"GTV": [left, right]}, kind="CLOSEDPLANAR_XOR"), volume())
    assert apart.voxels == 2 * 8 * 4
    hole = [(x + 3.0, y, z) for x, y, z in square(2.0, 2.5, 8.5)]  # drawn a little beyond the outer one
    (wall,) = drawn(structure_set({"wall": [left, hole]}), volume())
    assert wall.voxels < 64 and wall.shared_ml == 0.0
    large, unsure = square(2.0, 0.5, 16.5), [(x + 5.0, y, z) for x, y, z in square(2.0, 2.5, 14.5)]
    (told,) = drawn(structure_set({"wall": [large, unsure]}), volume())  # a quarter beyond: a hole, or a part?
    assert told.voxels == 16**2 - 9 * 12 + 3 * 12 and told.shared_ml == pytest.approx(9 * 12 * 2 / 1000)
    assert told.flipped(0).shared_ml == told.shared_ml
    assert drawn(structure_set({"wall": [large, unsure]}, kind="CLOSEDPLANAR_XOR"), volume())[0].shared_ml == 0.0


def test_contours_that_lie_elsewhere_are_refused() -> None:
    with pytest.raises(Refused, match="1 of 1 contours of 'GTV' do not lie in a slice"):
        drawn(structure_set({"GTV": [square(3.0, 4.5, 9.5)]}), volume())
    with pytest.raises(Refused, match="1 of 2 contours of 'GTV' lie outside the image"):
        drawn(structure_set({"GTV": [square(2.0, 4.5, 9.5), square(40.0, 4.5, 9.5)]}), volume())
    with pytest.raises(Refused, match="lie outside"):
        drawn(structure_set({"GTV": [square(2.0, 14.5, 29.5)]}), volume())
    with pytest.raises(Refused, match=r"drawn in frame of reference 1\.2\.8"):
        drawn(structure_set({"GTV": [square(2.0, 4.5, 9.5)]}, frame="1.2.8"), volume())
    oblique = [(4.0, 4.0, 0.0), (9.0, 4.0, 4.0), (9.0, 9.0, 8.0)]
    with pytest.raises(Refused, match="do not lie in a slice"):
        drawn(structure_set({"GTV": [oblique]}), volume())


def test_points_enclose_nothing_and_damaged_contours_refuse() -> None:
    assert drawn(structure_set({"marker": [[(1.0, 1.0, 2.0)]]}, kind="POINT"), volume()) == ()
    data = structure_set({"GTV": [square(4.0, 4.5, 9.5)]}).replace(b"4.5\\4.5\\4.0", b"4.5\\abc\\4.0")
    with pytest.raises(Refused, match="no number"):
        drawn(data, volume())


@pytest.mark.filterwarnings("ignore::UserWarning")  # of a kind that is misspelt, or longer than 16 characters
@pytest.mark.parametrize("kind", ["CLOSED_PLANAR_XOR", "Closed_Planar", "CLOSEDPLANAR", ""])
def test_a_closed_contour_is_read_however_its_kind_is_spelt(kind: str) -> None:
    """Of another spelling than the standard's there was no contour, and the structure was not there."""
    ring = [square(2.0, 2.5, 12.5), square(2.0, 5.5, 8.5)]
    assert drawn(structure_set({"ring": ring}, kind=kind), volume())[0].voxels == 100 - 9
    crossing = [square(2.0, 2.5, 10.5), [(x + 4.0, y, z) for x, y, z in square(2.0, 2.5, 10.5)]]
    (parts,) = drawn(structure_set({"GTV": crossing}, kind=kind), volume())
    assert parts.voxels == (2 * 8 * 4 if kind.endswith("XOR") else 8 * 12)


def test_a_damaged_structure_costs_no_other() -> None:
    both = {"GTV": [square(4.0, 4.5, 9.5)], "liver": [square(2.0, 2.5, 5.5)]}
    lost, liver = drawn(structure_set(both).replace(b"4.5\\4.5\\4.0", b"4.5\\abc\\4.0"), volume())
    assert liver.label == "liver" and liver.voxels == 9
    with pytest.raises(Refused, match=r"a contour of 'GTV' has 12 coordinates or one that is no number"):
        lost.must_be_placed()


def test_two_structures_with_one_number_keep_their_names() -> None:
    """Both bore the name of the second."""
    ds = pydicom.dcmread(io.BytesIO(structure_set({"GTV": [square(4.0, 4.5, 9.5)], "liver": [square(2.0, 2.5, 5.5)]})))
    ds.StructureSetROISequence[1].ROINumber = ds.ROIContourSequence[1].ReferencedROINumber = 1
    assert [r.label for r in drawn(made.written(ds), volume())] == ["GTV", "liver"]


def test_without_a_volume_the_outline_stands_in_the_patient() -> None:
    (region,) = drawn(structure_set({"GTV": [square(4.0, 4.5, 9.5)]}), None)
    assert region.shape is Shape.POLYGON and region.centre_mm == (7.0, 7.0, 4.0)


def test_a_series_without_structures_says_so() -> None:
    series, read = made.record(made.stack(2))
    with pytest.raises(NotFound, match="no structure set"):
        regions(series, read, None)


def test_a_radiograph_takes_no_contours() -> None:
    series, read = made.record([made.made(1, sop_class=made.DX, modality="DX")])
    with pytest.raises(Refused, match="without patient coordinates"):
        drawn(structure_set({"GTV": [square(4.0, 4.5, 9.5)]}), assemble(series, read)[0])


# ---- real structure sets, with the values of the published data set

SARCOMA = made.DATA / "sarcoma_pet_ct_mr"
STS_001 = made.REFERENCE / "pet-suv-sts001" / "test" / "data" / "sts_images_raw" / "STS_001"


def load(path: Path) -> tuple[list[Series], dict[str, bytes]]:
    held, records = {}, []
    for _, data in scan(path):
        assert isinstance(data, bytes)
        try:
            records.append(read_header(data))
        except IsocenterError:
            continue
        held[records[-1].series[0].instances[0].digest] = data
    (study,) = merge(records)
    return list(study.series), held


def pet_mask(path: Path) -> tuple[Volume, Any]:
    series, held = load(path)
    pet = next(s for s in series if s.modality == "PT")
    structures = next(
        s for s in series if s.modality == "RTSTRUCT" and pet.uid in s.facts.get("ReferencedSeriesUIDs", [])
    )
    (onto,) = assemble(pet, held.__getitem__)
    region = next(r for r in regions(structures, held.__getitem__, onto) if r.label.startswith("GTV_Mass"))
    return onto, region


@pytest.mark.data
@pytest.mark.parametrize(("name", "maximum"), [("STS_002", 21.676), ("STS_003", 10.265)])
@made.needs(SARCOMA)
def test_suv_maximum_in_the_drawn_tumour(name: str, maximum: float) -> None:
    onto, region = pet_mask(SARCOMA / f"{name}.zip")
    assert onto.unit == "g/ml" and float(onto.array[region.mask].max()) == pytest.approx(maximum, abs=5e-4)


@pytest.mark.data
@made.needs(STS_001)
def test_the_drawn_tumour_of_the_first_patient_has_its_published_voxels() -> None:
    onto, region = pet_mask(STS_001)
    assert region.voxels == 5095  # IBSI validation: 5,095 voxels, SUVmax 7.911, mean 2.555
    factor = 2.4290297661e-4
    assert float(onto.array[region.mask].max()) * factor == pytest.approx(7.9107, abs=1e-4)
    assert float(onto.array[region.mask].mean(dtype=np.float64)) * factor == pytest.approx(2.555, abs=1e-3)


def test_the_area_of_contours_goes_with_the_mask() -> None:
    hollow = [square(4.0, 2.25, 12.5), square(4.0, 5.0, 7.5), square(6.0, 2.25, 12.5)]
    (region,) = drawn(structure_set({"ring": hollow}), volume())
    assert region.drawn_mm2 == {2: pytest.approx(10.25**2 - 2.5**2), 3: pytest.approx(10.25**2)}
    assert region.slice_mm2 == region.drawn_mm2
    # Whoever changes the mask has other areas, and what was written and read again is counted.
    assert replace(region, label="other").drawn_mm2 is None
    again = type(region).from_json(region.to_json())
    assert again.slice_mm2 == {2: 96.0, 3: 100.0}
    (traced,) = drawn(structure_set({"traced": [square(4.0, 2.0, 11.0)]}), volume())
    assert traced.drawn_mm2 is None and traced.slice_mm2 == {2: 100.0}


def test_contours_go_with_the_mask_unless_they_were_traced_from_pixels() -> None:
    hollow = [square(4.0, 2.25, 12.5), square(4.0, 5.0, 7.5), square(6.0, 2.25, 12.5)]
    (region,) = drawn(structure_set({"ring": hollow}), volume())
    assert region.outlines is not None and {k: len(lines) for k, lines in region.outlines.items()} == {2: 2, 3: 1}
    assert region.outlines[3][0] == pytest.approx(np.array([(2.25, 2.25), (2.25, 12.5), (12.5, 12.5), (12.5, 2.25)]))
    assert replace(region, label="other").outlines is None
    along_edges = [(2.5, 2.5, 4.0), (8.5, 2.5, 4.0), (8.5, 4.5, 4.0), (6.5, 4.5, 4.0), (6.5, 9.5, 4.0), (2.5, 9.5, 4.0)]
    half_way = [(2.0, 2.5, 4.0), (8.0, 2.5, 4.0), (8.5, 3.0, 4.0), (8.5, 9.0, 4.0), (8.0, 9.5, 4.0), (2.0, 9.5, 4.0)]
    for corners in (square(4.0, 2.0, 11.0), along_edges, half_way):
        (traced,) = drawn(structure_set({"traced": [corners]}), volume())
        assert traced.outlines is None
    (box,) = drawn(structure_set({"drawn": [square(4.0, 2.5, 10.5)]}), volume())
    assert box.outlines is not None


def test_contours_of_other_slices_are_refused_and_not_mixed() -> None:
    """Drawn on thinner slices two would fall into one and cancel; on thicker ones most volume would be left out."""
    thinner = [square(z, 4.5, 9.5) for z in (1.6, 2.4, 3.6, 4.4)]
    with pytest.raises(Refused, match="several planes of one slice, in 2 slices"):
        drawn(structure_set({"GTV": thinner}), volume())
    rounded = [square(2.0, 2.5, 5.5), square(2.1, 9.5, 12.5)]  # one plane, to a tenth of a millimetre
    assert drawn(structure_set({"GTV": rounded}), volume())[0].voxels == 18
    with pytest.raises(Refused, match=r"on every 2\. slice only"):
        drawn(structure_set({"GTV": [square(z, 4.5, 9.5) for z in (0.0, 4.0, 8.0)]}), volume())
    with pytest.raises(Refused, match=r"on every 2\. slice only"):  # and one more at the end
        drawn(structure_set({"GTV": [square(z, 4.5, 9.5) for z in (0.0, 4.0, 8.0, 10.0)]}), volume(6))
    missed = [square(z, 4.5, 9.5) for z in (0.0, 2.0, 6.0, 8.0)]
    assert drawn(structure_set({"GTV": missed}), volume())[0].voxels == 100
    apart = [square(z, 4.5, 9.5) for z in (0.0, 4.0)]  # two parts of one slice each
    assert drawn(structure_set({"GTV": apart}), volume())[0].voxels == 50


def test_contours_midway_between_slices_are_measured() -> None:
    """Of slices midway between these they were refused, though nothing but their thickness is needed."""
    onto = volume()
    midway = structure_set(
        {"GTV": [square(z, 4.5, 9.5) for z in (1.0, 2.9, 5.1)]}, images=["1.2.3", "1.2.4", "1.2.5"]
    )  # to a tenth of a millimetre, which puts them nearer to one slice or to the other
    (region,) = drawn(midway, onto)
    assert region.voxels == 3 * 25 and region.bounds == ((0, 5, 5), (3, 10, 10))
    series, read = made.record([midway])
    with pytest.raises(Refused, match=r"lie 2\.05 mm apart and between slices, the slices of these images 2 mm"):
        regions(series, read, onto, across=False)
    turned = regions(series, read, onto.flipped(0))[0]
    assert turned.voxels == 3 * 25 and turned.centre_mm == pytest.approx(region.centre_mm)


def test_an_outline_smaller_than_a_pixel_is_not_none() -> None:
    dot, gtv = drawn(structure_set({"dot": [square(2.0, 4.2, 4.6)], "GTV": [square(4.0, 4.5, 9.5)]}), volume())
    assert gtv.voxels == 25
    with pytest.raises(Refused, match="contours of 'dot' that enclose no centre of a pixel"):
        dot.must_be_placed()


def test_contours_name_their_images() -> None:
    data = structure_set({"GTV": [square(2.0, 4.5, 9.5), square(4.0, 4.5, 9.5)]}, images=["1.2.3", "1.2.4"])
    assert images_named(data) == {"1.2.3", "1.2.4"}
    assert images_named(structure_set({"GTV": [square(2.0, 4.5, 9.5)]})) == frozenset()


def test_a_structure_that_cannot_be_placed_costs_no_other() -> None:
    said = {"couch": [square(2.0, 4.5, 90.0)], "GTV": [square(4.0, 4.5, 9.5)]}
    couch, gtv = drawn(structure_set(said), volume())
    assert gtv.voxels == 25 and couch.shape is Shape.POLYGON and couch.voxels == 0
    gtv.must_be_placed()
    with pytest.raises(Refused, match="1 of 1 contours of 'couch' lie outside"):
        couch.must_be_placed()


def test_a_structure_set_may_name_its_frame_in_its_structures_only() -> None:
    series, _ = made.record([structure_set({"GTV": [square(4.0, 4.5, 9.5)]}, frame="1.2.9")])
    assert series.frame_of_reference == "1.2.9"
    ds = pydicom.dcmread(io.BytesIO(structure_set({"GTV": [square(4.0, 4.5, 9.5)]}, frame="1.2.8")))
    del ds.FrameOfReferenceUID
    series, _ = made.record([made.written(ds)])
    assert series.frame_of_reference == "1.2.8"


def test_what_was_drawn_on_several_phases_of_a_slice_is_no_ring() -> None:
    files = [
        made.made(2 * n + t, pixels=np.zeros((20, 20), np.uint16), ImagePositionPatient=[0, 0, 2.0 * n], TriggerTime=t)
        for n in range(3)
        for t in range(2)
    ]
    series, read = made.record(files)
    onto = assemble(series, read)[0]
    assert [a.name for a in onto.axes] == ["time"]
    outlines = [square(2.0, 2.5, 12.5), square(2.0, 4.5, 9.5), square(4.0, 4.5, 9.5)]
    on = [onto.instance_uids[n] for n in (1, 4, 5)]  # slices 1, 1, 2 of phases 0, 1, 1
    first, second = drawn(structure_set({"LV endo": outlines}, images=on), onto)
    assert (first.label, first.voxels) == ("LV endo phase 1", 100)
    assert (second.label, second.voxels) == ("LV endo phase 2", 50)
    (same,) = drawn(structure_set({"ring": outlines[:2]}, images=[on[0], on[0]]), onto)
    assert same.label == "ring" and same.voxels == 75
    with pytest.raises(Refused, match="'aorta' on several images of one slice"):
        drawn(structure_set({"aorta": outlines}, images=["1.2.3", *on[1:]]), onto)


def test_a_structure_that_was_drawn_across_the_slices_is_there() -> None:
    """A box in sagittal planes was refused; a plane alone is as thick as its file says."""

    def plane(x: float) -> list[tuple[float, float, float]]:
        return [(x, 4.5, 1.0), (x, 9.5, 1.0), (x, 9.5, 7.0), (x, 4.5, 7.0)]

    (box,) = drawn(structure_set({"GTV": [plane(x) for x in (3.0, 4.0, 5.0, 6.0)]}), volume())
    assert box.voxels == 3 * 5 * 4 and box.bounds == ((1, 5, 3), (4, 10, 7))
    ds = pydicom.dcmread(io.BytesIO(structure_set({"GTV": [plane(5.0)]})))
    assert drawn(made.written(ds), volume())[0].voxels == 3 * 5
    ds.ROIContourSequence[0].ContourSequence[0].ContourSlabThickness = 3.0
    assert drawn(made.written(ds), volume())[0].voxels == 3 * 5 * 3
    with pytest.raises(Refused, match="2 of 2 contours of 'GTV' lie outside the image"):
        drawn(structure_set({"GTV": [plane(-8.0), plane(-9.0)]}), volume())
    with pytest.raises(Refused, match="do not lie in a slice"):
        series, read = made.record([structure_set({"GTV": [plane(3.0), plane(4.0)]})])
        regions(series, read, volume(), across=False)


def test_closed_contours_that_are_called_not_planar_are_no_nothing() -> None:
    """They were passed over: the structure was not there, without a word."""
    flat = structure_set({"GTV": [square(4.0, 4.5, 9.5)]}, kind="CLOSED_NONPLANAR")
    assert drawn(flat, volume())[0].voxels == 25
    saddle = [(4.5, 4.5, 1.0), (9.5, 4.5, 5.0), (9.5, 9.5, 1.0), (4.5, 9.5, 5.0)]
    bent = {"bent": [saddle, [(x, y, z + 2.0) for x, y, z in saddle]], "GTV": [square(4.0, 4.5, 9.5)]}
    lost, gtv = drawn(structure_set(bent, kind="CLOSED_NONPLANAR"), volume())
    assert gtv.voxels == 25
    with pytest.raises(Refused, match="2 of 2 contours of 'bent' do not lie in planes parallel"):
        lost.must_be_placed()


@pytest.mark.parametrize(("apart", "count"), [(2.5, 5), (3.0, 5), (5.0, 5), (1.5, 8), (0.75, 16)])
def test_contours_of_thicker_slices_leave_no_slice_out(apart: float, count: int) -> None:
    """Laid into the nearest slices, 2 mm apart, they left others empty; thinner ones were refused."""
    levels = [2.0 + apart * n for n in range(count)]
    said = structure_set({"GTV": [square(z, 4.5, 9.5) for z in levels]})
    onto = volume(16)
    (region,) = drawn(said, onto)
    filled = np.flatnonzero(region.mask.any(axis=(1, 2)))
    assert np.array_equal(filled, np.arange(filled[0], filled[-1] + 1))
    assert region.volume_ml == pytest.approx(count * apart * 25 / 1000, abs=0.05)
    series, read = made.record([said])
    with pytest.raises(Refused, match=rf"contours of 'GTV' lie {apart:g} mm apart, the slices of these images 2 mm"):
        regions(series, read, onto, across=False)
