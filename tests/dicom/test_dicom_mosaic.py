"""Siemens mosaics."""

from __future__ import annotations

import struct

import made
import numpy as np
import pytest

from isocenter.dicom.assemble import assemble
from isocenter.errors import NotAVolume


def csa(count: int, normal: tuple[float, float, float], times_ms: tuple[float, ...] = ()) -> bytes:
    """A CSA image header with the entries that place the tiles, in space and in time."""
    entries = [("NumberOfImagesInMosaic", [str(count)]), ("SliceNormalVector", [f"{v:.8f}" for v in normal])]
    entries += [("MosaicRefAcqTimes", [f"{ms:.8f}" for ms in times_ms])] if times_ms else []
    out = b"SV10\x04\x03\x02\x01" + struct.pack("<II", len(entries), 77)
    for name, values in entries:
        out += name.encode().ljust(64, b"\0") + struct.pack("<i4siii", len(values), b"FD\0\0", 3, len(values), 77)
        for value in values:
            raw = value.encode() + b"\0"
            out += struct.pack("<iiii", len(raw), len(raw), 77, len(raw)) + raw.ljust((len(raw) + 3) // 4 * 4, b"\0")
    return out + b"\0" * (len(out) % 2)


def first_csa(count: int) -> bytes:
    """The same as scanners before syngo VB wrote it: without a mark, and lengths that count the first entry's items."""
    entries = [("SliceNormalVector", ["0.0", "0.0", "1.0"]), ("NumberOfImagesInMosaic", [str(count)])]
    out = struct.pack("<II", len(entries), 77)
    for name, values in entries:
        out += name.encode().ljust(64, b"\0") + struct.pack("<i4siii", len(values), b"FD\0\0", 3, 6, 77)
        for value in [*values, *[""] * (6 - len(values))]:
            raw = value.encode() + b"\0" if value else b""
            out += struct.pack("<iiii", len(raw) + 6, 77, 77, 77) + raw.ljust((len(raw) + 3) // 4 * 4, b"\0")
    return out


def mosaic(count: int = 5, *, private: bytes | bool = True, number: int = 1) -> bytes:
    picture = np.zeros((12, 18), np.uint16)
    for n in range(count):
        picture[(n // 3) * 4 : (n // 3) * 4 + 4, (n % 3) * 6 : (n % 3) * 6 + 6] = 10 + n
    ds = made.dataset(
        number, sop_class=made.MR, modality="MR", pixels=picture, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
        ImagePositionPatient=[-6, -4, 7], SpacingBetweenSlices=3.0, AcquisitionTime=f"10000{number}",
    )  # fmt: skip
    if private:
        block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", csa(count, (0.0, 0.0, 1.0)) if private is True else private)
    return made.written(ds)


def test_a_mosaic_is_unpacked_into_its_slices() -> None:
    series, read = made.record([mosaic()])
    (volume,) = assemble(series, read)
    assert volume.array.shape == (5, 4, 6)
    assert volume.array[:, 2, 3].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]
    # The header places a slice as large as the picture; the first tile is moved by half the difference.
    assert volume.geometry.origin_mm == (-6 + (18 - 6) / 2, -4 + (12 - 4) / 2, 7.0)
    assert volume.geometry.spacing_mm[0] == 3.0


def test_mosaics_one_after_the_other_are_a_time_series() -> None:
    series, read = made.record([mosaic(number=n) for n in (1, 2, 3)])
    (volume,) = assemble(series, read)
    assert volume.axes[0].name == "time" and volume.axes[0].values == (0.0, 1.0, 2.0)


def test_a_mosaic_without_its_private_header_refuses() -> None:
    series, read = made.record([mosaic(private=False)])
    with pytest.raises(NotAVolume, match="Siemens mosaic without the number of its slices"):
        assemble(series, read)


def test_a_damaged_private_header_refuses_and_does_not_crash() -> None:
    data = mosaic()
    at = data.index(b"SV10")
    for cut in (20, 90, 150):
        broken = data[: at + cut] + b"\xff" * 60 + data[at + cut + 60 :]
        series, read = made.record([broken])
        try:
            volumes = assemble(series, read)
        except NotAVolume as refusal:
            assert refusal.do
        else:
            assert volumes[0].array.shape[0] >= 1


def test_slices_that_were_measured_one_after_another_have_times_of_their_own() -> None:
    """A mosaic bears one time for all: slices of an echo planar sequence were taken to be of one moment."""
    after = (0.0, 600.0, 200.0, 800.0, 400.0)
    series, read = made.record([mosaic(number=n, private=csa(5, (0.0, 0.0, 1.0), after)) for n in (1, 2, 3)])
    (volume,) = assemble(series, read)
    assert volume.axes[0].values == (0.0, 1.0, 2.0)
    times = np.array(volume.facts["SliceTimes"])
    assert times[0] - times[0, 0] == pytest.approx(np.array(after) / 1000.0)
    for odd in ((0.0, 600.0), (0.0, -600.0, 200.0, 800.0, 400.0), (0.0, 6e5, 200.0, 800.0, 400.0)):
        series, read = made.record([mosaic(number=n, private=csa(5, (0.0, 0.0, 1.0), odd)) for n in (1, 2, 3)])
        assert "SliceTimes" not in assemble(series, read)[0].facts


def test_the_header_of_old_scanners_is_read() -> None:
    series, read = made.record([mosaic(private=first_csa(5))])
    (volume,) = assemble(series, read)
    assert volume.array[:, 2, 3].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]
