"""Crooked series, a story each: what came, what must not happen, and what the sender is told."""

from __future__ import annotations

import made
import numpy as np
import pytest

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import merge, read_header
from isocenter.errors import IsocenterError, NotAVolume, NotWhole, Refused

ORIENTATION = ["1.0", "0", "0", "0", "1", "0"]


def refusal(files: list[bytes]) -> str:
    series, read = made.record(files)
    with pytest.raises(NotAVolume) as caught:
        assemble(series, read)
    assert caught.value.what and caught.value.why and caught.value.do
    return str(caught.value)


def test_the_network_lost_four_slices() -> None:
    """A thorax of 60 slices arrives with 56: tumour volumes computed over the hole would be wrong by a fifth."""
    files = [made.made(n, ImagePositionPatient=[0, 0, 5.0 * n]) for n in range(1, 61) if n not in (41, 42, 43, 44)]
    assert "slices 41 to 44 missing: gap of 25 mm where 5 mm" in refusal(files)


def test_the_converter_wrote_zero_spacing() -> None:
    """An anonymiser rounded Pixel Spacing to 0: every length in the image would be nothing."""
    assert "Pixel Spacing of image 1 is [0.0, 0.0]" in refusal([made.made(n, PixelSpacing=[0, 0]) for n in (1, 2)])
    assert "Pixel Spacing" in refusal([made.made(n, PixelSpacing=[-1, 1]) for n in (1, 2)])
    assert "Pixel Spacing of image 1 is None" in refusal([made.made(n, PixelSpacing=None) for n in (1, 2)])


def test_a_research_reconstruction_wrote_nan_as_orientation() -> None:
    """A division by zero in a script: the archive stores the image, and no analysis is run on an unknown side."""
    files = [
        f.replace(b"1.0\\0\\0\\0\\1\\0", b"NaN\\0\\0\\0\\1\\0")
        for f in made.stack(2, ImageOrientationPatient=ORIENTATION)
    ]
    assert all(b"NaN" in f for f in files)
    said = refusal(files)
    assert "Image Orientation (Patient) of image 1" in said and "not a number" in said


def test_all_slices_lie_at_one_place() -> None:
    """A table that did not move: ten images of one slice are no volume of ten slices."""
    files = [made.made(n, ImagePositionPatient=[0, 0, 7.0], InstanceNumber="") for n in range(1, 11)]
    assert "nothing that tells them apart" in refusal(files)


def test_numbered_copies_of_one_slice_are_not_taken_for_slices() -> None:
    """The same, numbered: they may be a time series of one slice, and never become ten slices."""
    series, read = made.record([made.made(n, ImagePositionPatient=[0, 0, 7.0]) for n in range(1, 11)])
    (volume,) = assemble(series, read)
    assert volume.geometry.shape[0] == 1 and volume.axes[0].name == "time" and volume.axes[0].unit == ""


def test_slice_location_says_the_opposite() -> None:
    """Slice Location counts from the table's end on this scanner: following it would swap head and feet."""
    files = [made.made(n, SliceLocation=str(100 - n)) for n in range(1, 6)]
    series, read = made.record(files)
    (volume,) = assemble(series, read)
    assert volume.instance_uids[0].endswith(".1") and volume.geometry.affine[2, 0] == 1.0


def test_instance_numbers_are_random() -> None:
    """A PACS numbered the images by their arrival."""
    files = [made.made(n, InstanceNumber=(n * 7) % 11) for n in range(1, 11)]
    series, read = made.record(files)
    (volume,) = assemble(series, read)
    assert [u.rsplit(".", 1)[1] for u in volume.instance_uids] == [str(n) for n in range(1, 11)]


def test_the_slice_was_sent_twice_under_two_uids() -> None:
    """A gateway gave a repeated slice a new UID: equal pixels are dropped and noted, others refuse."""
    files = made.stack(5)
    copy = made.made(9, ImagePositionPatient=[0, 0, 3.0], pixels=np.full((4, 6), 1003, np.uint16))
    series, read = made.record([*files, copy])
    (volume,) = assemble(series, read)
    assert volume.array.shape[0] == 5 and len(volume.facts["DoubledInstances"]) == 1
    other = made.made(9, ImagePositionPatient=[0, 0, 3.0], pixels=np.zeros((4, 6), np.uint16))
    assert "slice 3 of 5 has 2 images" in refusal([*files, other])


def test_the_wrong_patient_stands_in_one_series() -> None:
    """The technologist forgot to change the patient: half of the series belongs to somebody else."""
    files = [made.made(n, PatientID="P1" if n < 4 else "P2") for n in range(1, 7)]
    with pytest.raises(Refused) as caught:
        merge([read_header(f) for f in files])
    assert "P1" in str(caught.value) and "P2" in str(caught.value) and "another" in caught.value.why


def test_the_topogram_shares_the_series() -> None:
    """Scouts and slices in one series: the slices are a volume, the scouts do not disturb it."""
    scout = made.made(
        99,
        pixels=np.zeros((30, 8), np.uint16),
        ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
        ImagePositionPatient=[0, -90, 90],
    )
    series, read = made.record([scout, *made.stack(12)])
    volumes = assemble(series, read)
    assert [v.geometry.shape for v in volumes] == [(12, 4, 6), (1, 30, 8)]


def test_one_file_of_the_series_has_damaged_pixels() -> None:
    """A bit flipped in a compressed stream: the message names the reason and no half-filled volume is given."""
    good = [made.made(n, pixels=np.arange(4096, dtype=np.uint16).reshape(64, 64), syntax=made.J2K) for n in range(3)]
    bad = bytearray(good[1])
    at = bad.index(b"\xff\x4f\xff\x51")
    bad[at + 4 : at + 60] = b"\xff" * 56
    series, read = made.record([good[0], bytes(bad), good[2]])
    with pytest.raises(IsocenterError) as caught:
        assemble(series, read)
    assert "cannot be decoded" in str(caught.value)


def test_the_store_lost_the_end_of_a_file() -> None:
    """A disk gave back half a file after it had been stored whole."""
    files = made.stack(3)
    series, read = made.record(files)
    with pytest.raises(NotWhole):
        assemble(series, lambda digest: read(digest)[:-20])


def test_private_and_odd_words_everywhere() -> None:
    """Values that no standard allows: the image is read, what is no number is left out of the computation."""
    facts = {"SliceThickness": "", "KVP": "", "InstanceNumber": "", "SeriesNumber": "", "WindowCenter": ""}
    series, read = made.record([made.made(n, **facts) for n in (1, 2, 3)])
    (volume,) = assemble(series, read)
    assert volume.array.shape[0] == 3
