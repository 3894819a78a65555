"""Studies whose every pixel is known, for what the reading room draws: sent to the demonstration as a scanner would."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, new, put_pixels, uid, written

WHO = Person("ISO-STAGE-1", "PHANTOM^STAGE", "O", "19700101", 1.7, 70.0)
CT, PET, US, DX = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.1.1",
)
SHAPE, SPACING = (40, 96, 96), (3.0, 2.0, 2.0)  # slices, rows, columns; mm
BALL_MM = np.array([30.0, -24.0, 19.5])
"""Centre of the one ball (LPS), away from every axis of symmetry, so that no mirror image passes."""
RADIUS_MM = 12.0
TODAY, BEFORE = datetime(2026, 11, 1, 9), datetime(2026, 4, 2, 9)


def body(ball: npt.NDArray[np.float64] = BALL_MM, hu: float = 60.0) -> npt.NDArray[np.int16]:
    """A block of -100 HU in air with one ball; (slices, rows, columns), centred on the origin of the patient."""
    z, y, x = (np.arange(n) * mm - (n - 1) / 2 * mm for n, mm in zip(SHAPE, SPACING, strict=True))
    away = (x[None, None, :] - ball[0]) ** 2 + (y[None, :, None] - ball[1]) ** 2 + (z[:, None, None] - ball[2]) ** 2
    inside = (np.abs(x) < 80)[None, None, :] & (np.abs(y) < 70)[None, :, None] & (np.abs(z) < 55)[:, None, None]
    return np.where(away < RADIUS_MM**2, hu, np.where(inside, -100, -1000)).astype(np.int16)


def ramp() -> npt.NDArray[np.int16]:
    """Other values in every slice, without order, so that largest, smallest and mean over a slab tell slices apart."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(-400, 400, (SHAPE[0], 8, 8))
    return np.asarray(np.kron(coarse, np.ones((1, SHAPE[1] // 8, SHAPE[2] // 8))), np.int16)


def stack(
    values: npt.NDArray[Any],
    study: str,
    series: str,
    *,
    at: datetime = TODAY,
    frame: str = "one",
    number: int = 1,
    modality: str = "CT",
    skip: range = range(0),
    body_part: str = "CHEST",
    person: Person = WHO,
) -> list[bytes]:
    """One series; its geometry is that of `SHAPE` and `SPACING` scaled to its own number of voxels."""
    slices, rows, columns = values.shape
    step, row_mm, column_mm = (s * n / m for s, n, m in zip(SPACING, SHAPE, values.shape, strict=True))
    ds = new(
        "stage", person, seed=1, sop_class=CT if modality == "CT" else PET, modality=modality, study=study,
        series=series, at=at, series_number=number, body_part=body_part,
    )  # fmt: skip
    ds.FrameOfReferenceUID, ds.PixelSpacing = uid("stage", frame), [row_mm, column_mm]
    ds.ImageOrientationPatient, ds.SliceThickness = [1, 0, 0, 0, 1, 0], step
    if modality == "CT":
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
        ds.WindowCenter, ds.WindowWidth = 0, 400
    else:
        ds.RescaleSlope, ds.RescaleIntercept, ds.Units, ds.SUVType = 0.01, 0, "GML", "BW"
    files = []
    for k in range(slices):
        ds.ImagePositionPatient = [
            -(columns - 1) / 2 * column_mm, -(rows - 1) / 2 * row_mm, (k - (slices - 1) / 2) * step
        ]  # fmt: skip
        stored = values[k] + 1024 if modality == "CT" else np.round(values[k] * 100)
        put_pixels(ds, np.clip(stored, 0, 65535).astype(np.uint16), bits=16)
        if k not in skip:
            files.append(written(ds, k + 1))
    return files


def uptake() -> npt.NDArray[np.float32]:
    """SUV 8 in the ball and 0.5 around it, on the grid of a PET: half as fine."""
    ball = (body() == 60).reshape(SHAPE[0] // 2, 2, SHAPE[1] // 2, 2, SHAPE[2] // 2, 2).mean(axis=(1, 3, 5))
    return (0.5 + 7.5 * ball).astype(np.float32)


def cine(frame_ms: float = 200.0, frames: int = 12) -> bytes:
    """An ultrasound loop whose n-th frame has n bright columns."""
    ds = new("stage-us", WHO, seed=1, sop_class=US, modality="US", study="Stage loop", series="Loop", at=TODAY)
    pixels = np.zeros((frames, 64, 96), np.uint8)
    for n in range(frames):
        pixels[n, :, : 8 * (n + 1)] = 200
    put_pixels(ds, pixels[0], bits=8)
    ds.NumberOfFrames, ds.FrameTime, ds.PixelData = frames, frame_ms, pixels.tobytes()
    ds.FrameIncrementPointer = 0x00181063
    return written(ds, 1)


def film() -> bytes:
    """A radiograph that is bright only at the patient's right, head end: its upper left corner."""
    ds = new("stage-dx", WHO, seed=1, sop_class=DX, modality="DX", study="Stage film", series="PA", at=TODAY)
    ds.PatientOrientation, ds.ImagerPixelSpacing, ds.BodyPartExamined = ["L", "F"], [0.5, 0.5], "HAND"
    pixels = np.full((200, 160), 200, np.uint16)
    pixels[:50, :40] = 4000
    put_pixels(ds, pixels, bits=12)
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    return written(ds, 1)


def everything() -> list[bytes]:
    """All of them."""
    moved = BALL_MM - np.array([0, 0, 20.0])
    return [
        *stack(body(), "Stage chest CT", "chest 2.0"),
        *stack(uptake(), "Stage chest CT", "PET same frame", number=2, modality="PT"),
        *stack(body(hu=300.0), "Stage chest CT", "before", at=BEFORE, number=1),
        *stack(ramp(), "Stage ramp", "ramp", body_part="ABDOMEN"),
        *stack(body(), "Stage apart", "CT", body_part="PELVIS"),
        *stack(uptake(), "Stage apart", "PET other frame", frame="two", number=2, modality="PT", body_part="PELVIS"),
        *stack(body(moved), "Stage apart", "CT moved", frame="three", number=3, body_part="PELVIS"),
        *stack(body(), "Stage holes", "with holes", skip=range(20, 24), body_part="KNEE"),
        cine(),
        film(),
    ]


def multipart(files: list[bytes]) -> tuple[bytes, str]:
    """One STOW-RS request: its body and its Content-Type."""
    out = io.BytesIO()
    for data in files:
        out.write(b"--stage\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n")
    out.write(b"--stage--\r\n")
    return out.getvalue(), 'multipart/related; type="application/dicom"; boundary=stage'
