"""A series for the screen: order, places, times, units, and why it is no volume."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pydicom
import pytest

from isocenter.dicom.header import merge, read_header
from isocenter.errors import IsocenterError, NotFound
from isocenter.reading.pictures import Pictures, Shelf, real_values, shown
from isocenter.record import Series
from isocenter.testing.phantoms import cine, flow_mr, pet_ct, ultrasound
from isocenter.testing.phantoms.patient import Person, new, put_pixels, written

WHO = Person("P", "PHANTOM^STAGE", "O", "19700101", 1.7, 70.0)
CT, DX, US = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.3.1"


def record(files: list[bytes]) -> tuple[list[Series], Callable[[str], bytes]]:
    studies = [read_header(f) for f in files]
    by = {s.series[0].instances[0].digest: f for s, f in zip(studies, files, strict=True)}
    return list(merge(studies)[0].series), by.__getitem__


def stack(numbers: list[int], **facts: Any) -> list[bytes]:
    files = []
    for n in numbers:
        ds = new("stack", WHO, seed=1, sop_class=CT, modality="CT", study="s", series="t", at=datetime(2026, 3, 2, 9))
        ds.FrameOfReferenceUID, ds.PixelSpacing, ds.ImageOrientationPatient = "1.2.9", [2.0, 1.0], [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-10, -20, 3.0 * n]
        ds.RescaleSlope, ds.RescaleIntercept, ds.SliceThickness = 1, -1024, 3
        put_pixels(ds, np.full((4, 5), 1000 + n, np.uint16), bits=12)
        for keyword, value in facts.items():
            setattr(ds, keyword, value)
        files.append(written(ds, n + 1))
    return files


def described(files: list[bytes], which: int = 0) -> tuple[Pictures, Callable[[str], bytes]]:
    series, read = record(files)
    return shown(series[which], read), read


def test_images_stand_along_their_normal_whatever_order_they_came_in() -> None:
    files = stack([4, 1, 3, 0, 2])
    of, read = described(files)
    assert [p.position[2] for p in of.order] == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert (of.phases, of.no_volume, of.kind, of.unit) == (1, "", "i2", "[hnsf'U]")
    values = list(real_values(of, of.order, read))
    assert [int(v[0, 0]) for v in values if not isinstance(v, IsocenterError)] == [-24, -23, -22, -21, -20]
    assert {v.dtype.str for v in values if not isinstance(v, IsocenterError)} == {"<i2"}


def test_missing_slices_are_named_and_may_be_scrolled() -> None:
    of, _ = described(stack([0, 1, 2, 3, 7, 8, 9]))
    assert of.no_volume == "slices 5–7 missing: scroll yes, MPR no"
    assert len(of.order) == 7


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([0], "one image only"), ([0, 1], "only 2 images"), ([0, 1, 2, 4], "slices 4 missing: scroll yes, MPR no")],
)
def test_why_it_is_no_volume(numbers: list[int], words: str) -> None:
    assert described(stack(numbers))[0].no_volume == words


def test_what_has_no_place_is_no_volume() -> None:
    of, _ = described([*stack([0, 1, 2]), *stack([3], ImagePositionPatient=None)])
    assert of.no_volume == "the images state no place in the patient"


def test_phases_stand_together_with_their_true_times() -> None:
    files = list(cine.patient(slices=3, phases=5).files)
    of, read = described(files)
    triggers = [float(pydicom.dcmread(io.BytesIO(read(p.digest))).TriggerTime) for p in of.order]
    assert (of.phases, len(of.order)) == (5, 15)
    assert all(triggers[n] < triggers[n + 1] for n in range(4))
    places = [np.round(p.position, 3).tolist() for p in of.order]
    assert places[0] == places[4] != places[5]
    assert [p.duration_ms for p in of.order[:4]] == pytest.approx(np.diff(triggers[:5]), abs=1e-3)
    assert of.no_volume.startswith("several images at one place")


@cache
def trunk() -> tuple[list[bytes], dict[str, Any]]:
    made = pet_ct.patient()
    return list(made.files), made.truth


@pytest.mark.parametrize("lengths", ["told", "open"])
def test_frames_of_an_enhanced_image_lie_where_they_say_however_long_their_sequences_are(lengths: str) -> None:
    """A sequence tells its length or ends by a mark (PS3.5 7.5): writers do either."""
    (first, *_) = flow_mr.patient(shape=(3, 6, 5), frames=4).files
    ds = pydicom.dcmread(io.BytesIO(first))
    for sequence in (ds["SharedFunctionalGroupsSequence"], ds["PerFrameFunctionalGroupsSequence"]):
        sequence.is_undefined_length = lengths == "open"
    out = io.BytesIO()
    ds.save_as(out)
    of, _ = described([out.getvalue()])
    assert [p.position[0] for p in of.order] == [2.5] * 4 + [0.0] * 4 + [-2.5] * 4
    assert {p.orientation for p in of.order} == {(0.0, 1.0, 0.0, 0.0, 0.0, -1.0)}
    assert (of.phases, {p.duration_ms for p in of.order}) == (4, {200.0})


def test_pet_comes_in_suv_where_the_header_carries_it() -> None:
    files, _ = trunk()
    pet = [f for f in files if pydicom.dcmread(io.BytesIO(f), stop_before_pixels=True).Modality == "PT"]
    of, read = described(pet)
    assert (of.unit, of.kind) == ("{SUVbw}g/ml", "f4")
    middle = of.order[30]
    ds = pydicom.dcmread(io.BytesIO(read(middle.digest)))
    bqml = ds.pixel_array * float(ds.RescaleSlope)
    (value,) = real_values(of, [middle], read)
    assert not isinstance(value, IsocenterError)
    assert value == pytest.approx(bqml * of.factor, rel=1e-5)
    assert 3 < float(value.max()) < 30, "of the order of what a lesion takes up"


def test_pet_without_weight_says_why_there_is_no_suv() -> None:
    files, _ = trunk()
    pet = []
    for f in files:
        ds = pydicom.dcmread(io.BytesIO(f))
        if ds.Modality == "PT":
            del ds.PatientWeight
            out = io.BytesIO()
            ds.save_as(out, enforce_file_format=True)
            pet.append(out.getvalue())
    of, _ = described(pet)
    assert (of.unit, of.factor) == ("Bq/mL", 1.0)
    assert of.remark.startswith("no SUV:")
    assert "weight" in of.remark.lower()


def test_sides_of_a_radiograph_and_a_window_where_none_is_stated() -> None:
    ds = new("film", WHO, seed=2, sop_class=DX, modality="DX", study="s", series="t", at=datetime(2026, 3, 2, 9))
    ds.PatientOrientation, ds.ImagerPixelSpacing = ["L", "F"], [0.2, 0.1]
    pixels = np.tile(np.arange(1000, 2000, 10, dtype=np.uint16), (50, 1))
    put_pixels(ds, pixels)
    ds.PhotometricInterpretation = "MONOCHROME1"
    of, _ = described([written(ds, 1)])
    (one,) = of.order
    assert (one.sides, one.spacing_mm, one.position, of.inverse) == (("L", "F"), (0.2, 0.1), (), True)
    (centre, width), *_ = one.windows
    assert (centre, width) == pytest.approx((1495, 980), abs=10)


def test_frame_times_of_a_cine() -> None:
    ds = new("us", WHO, seed=3, sop_class=US, modality="US", study="s", series="t", at=datetime(2026, 3, 2, 9))
    put_pixels(ds, np.zeros((8, 8), np.uint8), bits=8)
    ds.NumberOfFrames, ds.PixelData = 3, bytes(range(192))
    ds.FrameTimeVector = [0, 30, 50]
    of, read = described([written(ds, 1)])
    assert [p.duration_ms for p in of.order] == [30, 50, 40]
    values = list(real_values(of, of.order, read))
    assert [int(v[0, 0]) for v in values if not isinstance(v, IsocenterError)] == [0, 64, 128]
    del ds.FrameTimeVector
    ds.FrameTime = 25
    assert [p.duration_ms for p in described([written(ds, 1)])[0].order] == [25, 25, 25]


def test_colour_is_red_green_and_blue() -> None:
    of, read = described(list(ultrasound.patient().files)[:1])
    (value,) = real_values(of, of.order[:1], read)
    assert not isinstance(value, IsocenterError)
    if of.colour:
        assert value.shape[-1] == 3
    assert value.dtype == np.uint8


def test_hu_beyond_sixteen_bits_is_padding() -> None:
    files = stack([0, 1, 2, 3])
    ds = pydicom.dcmread(io.BytesIO(files[0]))
    put_pixels(ds, np.array([[65535, 1024]], np.uint16))
    of, read = described([written(ds, 1)])
    (value,) = real_values(of, of.order, read)
    assert not isinstance(value, IsocenterError)
    assert value.tolist() == [[32767, 0]]


@pytest.mark.parametrize("ends", [(0, 33791), (0, 33792), (1023, 33791), (0, 65535)])
def test_values_moved_in_one_pass_are_those_of_the_long_way(ends: tuple[int, int]) -> None:
    files = stack([0, 1, 2, 3])
    ds = pydicom.dcmread(io.BytesIO(files[0]))
    stored = np.array([[*ends, 1024, 40000 % (ends[1] + 1)]], np.uint16)
    put_pixels(ds, stored)
    of, read = described([written(ds, 1)])
    (value,) = real_values(of, of.order, read)
    assert not isinstance(value, IsocenterError) and value.dtype == np.int16
    assert value.tolist() == np.clip(stored.astype(int) - 1024, -32768, 32767).tolist()


def test_an_image_that_cannot_be_read_does_not_stop_the_others() -> None:
    of, read = described(stack([0, 1, 2, 3]))
    broken = of.order[1].digest

    def crooked(digest: str) -> bytes:
        return read(digest)[:400] if digest == broken else read(digest)

    values = list(real_values(of, of.order, crooked))
    assert [isinstance(v, IsocenterError) for v in values] == [False, True, False, False]


def test_a_series_without_pixels() -> None:
    with pytest.raises(NotFound, match="an image"):
        shown(Series("1", "SR"), lambda digest: b"")


def test_the_shelf_holds_the_latest_and_no_more() -> None:
    of, _ = described(stack([0, 1, 2, 3]))
    shelf = Shelf(1)
    shelf.put("1.1", of)
    assert shelf.get("1.1", of.series.uid, of.tag) is of
    assert shelf.get("1.2", of.series.uid, of.tag) is None, "another study does not open this one's series"
    other, _ = described(stack([0, 1, 2, 3, 4]))
    shelf.put("1.1", other)
    assert shelf.get("1.1", of.series.uid, of.tag) is None
