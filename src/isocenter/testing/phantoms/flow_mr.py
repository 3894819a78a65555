"""Phase-contrast MR of an aorta in which every velocity is known: a cane of laminar flow that beats.

An ascending leg, half a ring and a descending leg of one round section; the profile is a parabola along the vessel,
which conserves mass in the legs and in the ring alike. Blood goes forth in systole and, where asked, some of it back in
diastole. Around it lies tissue that keeps still, with a phase of its own that is no motion (eddy currents), and air.
Velocities above VENC turn over. Written as enhanced MR, as Siemens and GE write classic images, or as one slice with
velocity through the plane.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, new, put_pixels, uid, written

__all__ = ["RR_MS", "cane", "patient", "slice_patient", "waveform"]

RR_MS = 800.0
_RING_MM = 26.0
_ENHANCED, _CLASSIC = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4"
_SLOPE, _LOWEST = 2.0, -4096.0  # slope and intercept of Siemens' phase


def waveform(frames: int, back_percent: float) -> npt.NDArray[np.float64]:
    """(frames,) of a beat: a half sine of 320 ms, then a slower one back that carries so many percent of it."""
    t = (np.arange(frames) + 0.5) / frames * RR_MS
    forth = np.where(t < 320, np.sin(np.pi * np.clip(t, 0, 320) / 320), 0.0)
    back = np.where(t >= 320, np.sin(np.pi * np.clip(t - 320, 0, 480) / 480), 0.0)
    return np.asarray(forth - back * (back_percent / 100.0) * forth.sum() / max(back.sum(), 1e-9))


def cane(
    shape: tuple[int, int, int], mm: float, radius_mm: float, fine: int = 1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(3, slices, rows, columns) velocity in the patient (x, y, z) for a peak of 1, and the share of blood.

    Slices go from right to left, columns from front to back, rows from head to foot.
    """
    velocity = np.zeros((3, *shape))
    blood = np.zeros(shape)
    parts = (np.arange(fine) + 0.5) / fine - 0.5
    for a in parts:
        for b in parts:
            for c in parts:
                x = ((np.arange(shape[0]) - (shape[0] - 1) / 2 + a) * mm)[:, None, None]
                z = (-(np.arange(shape[1]) - (shape[1] - 1) * 0.42 + b) * mm)[None, :, None]
                y = ((np.arange(shape[2]) - (shape[2] - 1) / 2 + c) * mm)[None, None, :]
                ring = np.where(z > 0, np.hypot(y, z), np.abs(y))
                inside = 1.0 - ((ring - _RING_MM) ** 2 + x**2) / radius_mm**2
                speed = np.clip(inside, 0.0, None)
                turn = np.where(z > 0, np.arctan2(z, y), np.where(y < 0, np.pi, 0.0))
                velocity[1] += speed * np.sin(turn) * (z > 0)
                velocity[2] += speed * np.where(z > 0, -np.cos(turn), np.where(y < 0, 1.0, -1.0))
                blood += inside > 0
    return velocity / fine**3, blood / fine**3


def _background(shape: tuple[int, ...], eddy_cm_s: float) -> npt.NDArray[np.float64]:
    """(3, ...) linear and quadratic phase that is no motion, cm/s."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij")
    made = np.stack([0.6 * x - 0.3 * y * y + 0.3, -0.5 * y + 0.4 * z * x, 0.7 * z + 0.3 * x * x - 0.4 * y])
    return np.asarray(eddy_cm_s * made)


def _scanned(
    velocity_cm_s: npt.NDArray[np.float64],
    signal: npt.NDArray[np.float64],
    venc_cm_s: float,
    snr: float,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Magnitude and phase (radians) of one encoding, with the noise of the two images that it is made from."""
    shape = velocity_cm_s.shape
    noise = 0.0 if not np.isfinite(snr) else 2**0.5 / snr
    image = signal * np.exp(1j * np.pi * velocity_cm_s / venc_cm_s)
    image = image + noise * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    return np.abs(image), np.angle(image)


def patient(
    *,
    seed: int = 1,
    kind: str = "enhanced",
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 9, 11, 10),
    shape: tuple[int, int, int] = (16, 40, 36),
    mm: float = 2.5,
    radius_mm: float = 10.0,
    frames: int = 20,
    peak_m_s: float = 1.3,
    back_percent: float = 20.0,
    venc_cm_s: float = 100.0,
    eddy_cm_s: float = 4.0,
    snr: float = 20.0,
    swapped: bool = False,
    mirrored: bool = False,
    header: dict[str, Any] | None = None,
) -> Phantom:
    """An adult with a 4-D flow scan of the aorta.

    Args:
        kind: ``"enhanced"`` (one object for each encoding and one of magnitudes), ``"siemens"`` or ``"ge"`` (classic).
        shape: slices, rows, columns, of `mm` each way.
        peak_m_s: in the middle of the vessel at the height of systole.
        back_percent: of the forward volume that comes back.
        eddy_cm_s: size of the background.
        snr: of tissue.
        swapped: the header names two of the directions the wrong way round.
        mirrored: one of the directions has the wrong sign.
        header: DICOM keywords that replace those of a proper scan.
    """
    who = person or Person(f"ISO-DEMO-FLOW-{seed}", "PHANTOM^AORTA", "M", "19680304", 1.78, 82.0)
    unit, blood = cane(shape, mm, radius_mm, fine=2)
    beat = waveform(frames, back_percent)
    ends = [np.linspace(-1, 1, n) for n in shape]
    body = (ends[1][None, :, None] ** 2 + ends[2][None, None, :] ** 2) < 1.75
    body = np.broadcast_to(body, shape)
    signal = np.where(body, 1.0, 0.0) + 0.5 * blood
    rng = np.random.default_rng([seed, 31])
    still = _background(shape, eddy_cm_s) * (-1.0 if mirrored else 1.0)
    order = [0, 2, 1] if swapped else [0, 1, 2]
    towards = np.eye(3)
    encoded = []
    for k in range(3):
        moving = 100.0 * peak_m_s * beat[:, None, None, None] * unit[order[k]] * (-1.0 if mirrored and k == 1 else 1.0)
        encoded.append((towards[k], *_scanned(moving + still[k], signal, venc_cm_s, snr, rng)))
    magnitude = np.mean([m for _, m, _ in encoded], axis=0)
    area = np.pi * radius_mm**2
    step_s = RR_MS / frames / 1000.0
    rate = area * peak_m_s / 2.0 * beat
    write = {"enhanced": _enhanced, "siemens": _siemens, "ge": _ge}[kind]
    study, files = write(seed, who, at, magnitude, encoded, venc_cm_s, mm, frames, header or {})
    truth = {
        "study_uid": study, "forward_ml": float(rate[rate > 0].sum() * step_s),
        "backward_ml": float(-rate[rate < 0].sum() * step_s), "net_ml": float(rate.sum() * step_s),
        "regurgitant_percent": back_percent, "peak_m_s": float(peak_m_s * beat.max()),
        "wall_shear_pa": float(2 * 0.0035 * peak_m_s * np.abs(beat).mean() / (radius_mm / 1000.0)),
        "kinetic_peak_mj": float(0.5 * 1060 * (peak_m_s * beat.max()) ** 2 * np.sum(np.sum(unit**2, axis=0))
                                 * mm**3 * 1e-6), "frame_ms": RR_MS / frames,
        "blood_ml": float(blood.sum() * mm**3 / 1000.0),
    }  # fmt: skip
    return Phantom("aorta with 4-D flow", files, truth)


def _base(
    seed: int, who: Person, at: datetime, series: str, number: int, mm: float, frames: int, sop_class: str,
    header: dict[str, Any],
) -> Any:  # fmt: skip
    ds = new(
        "flow_mr", who, seed=seed, sop_class=sop_class, modality="MR", study="Flow MR", series=series, at=at,
        series_number=number, body_part="HEART",
    )  # fmt: skip
    ds.MagneticFieldStrength, ds.PatientPosition, ds.SliceThickness = 3.0, "HFS", mm
    ds.RepetitionTime, ds.FlipAngle, ds.EchoTime = RR_MS / frames, 7.0, 2.4
    ds.HeartRate, ds.NominalInterval, ds.CardiacNumberOfImages = int(60000 / RR_MS), int(RR_MS), frames
    ds.FrameOfReferenceUID = uid("flow_mr", seed, "frame")
    ds.PixelSpacing, ds.ImageOrientationPatient = [mm, mm], [0, 1, 0, 0, 0, -1]
    for keyword, value in header.items():
        setattr(ds, keyword, value)
    return ds


def _place(shape: tuple[int, ...], k: int, mm: float) -> list[float]:
    place = ((k - (shape[0] - 1) / 2) * mm, -(shape[2] - 1) / 2 * mm, (shape[1] - 1) * 0.42 * mm)
    return [round(v, 4) for v in place]


def _stored(phase: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    return ((np.round(phase / np.pi * 4096).clip(-4096, 4094) - _LOWEST) / _SLOPE).astype(np.uint16)


def _classic_series(ds: Any, pixels: Any, mm: float, first: int, each: Any = None) -> list[bytes]:
    """Files of one (frames, slices, rows, columns) block."""
    frames, slices = pixels.shape[:2]
    made = []
    for t in range(frames):
        ds.TriggerTime = round(t * RR_MS / frames, 3)
        for k in range(slices):
            ds.ImagePositionPatient = _place(pixels.shape[1:], k, mm)
            put_pixels(ds, pixels[t, k])
            if each is not None:
                each(ds)
            made.append(written(ds, first + t * slices + k))
    return made


def _siemens(
    seed: int, who: Person, at: datetime, magnitude: Any, encoded: Any, venc: float, mm: float, frames: int,
    header: dict[str, Any],
) -> tuple[str, tuple[bytes, ...]]:  # fmt: skip
    ds = _base(seed, who, at, "4D flow", 5, mm, frames, _CLASSIC, header)
    ds.ImageType, ds.SequenceName = ["ORIGINAL", "PRIMARY", "M", "ND"], "*fl3d1"
    files = _classic_series(ds, np.round(magnitude * 800).astype(np.uint16), mm, 1)
    ds = _base(seed, who, at, "4D flow_P", 6, mm, frames, _CLASSIC, header)
    ds.ImageType, ds.RescaleSlope, ds.RescaleIntercept = ["ORIGINAL", "PRIMARY", "P", "ND"], _SLOPE, _LOWEST
    for n, (name, (_, _, phase)) in enumerate(zip(("rl", "ap", "fh"), encoded, strict=True)):
        ds.SequenceName = f"*fl3d1_v{venc:.0f}{name}"
        files += _classic_series(ds, _stored(phase), mm, 1 + n * phase.shape[0] * phase.shape[1])
    return str(ds.StudyInstanceUID), tuple(files)


def _ge(
    seed: int, who: Person, at: datetime, magnitude: Any, encoded: Any, venc: float, mm: float, frames: int,
    header: dict[str, Any],
) -> tuple[str, tuple[bytes, ...]]:  # fmt: skip
    ds = _base(seed, who, at, "Anatomy", 7, mm, frames, _CLASSIC, {"Manufacturer": "GE MEDICAL SYSTEMS", **header})
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    files = _classic_series(ds, np.round(magnitude * 800).astype(np.uint16), mm, 1)
    for n, (name, (_, _, phase)) in enumerate(zip(("RL", "AP", "IS"), encoded, strict=True)):
        ds = _base(
            seed, who, at, f"Flow {name}", 8 + n, mm, frames, _CLASSIC, {"Manufacturer": "GE MEDICAL SYSTEMS", **header}
        )
        ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0xCC, "SS", int(venc * 10))
        ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x32, "SS", 0)
        files += _classic_series(ds, np.round(phase / np.pi * venc * 10).astype(np.int16), mm, 1)
    return str(ds.StudyInstanceUID), tuple(files)


def _enhanced(
    seed: int, who: Person, at: datetime, magnitude: Any, encoded: Any, venc: float, mm: float, frames: int,
    header: dict[str, Any],
) -> tuple[str, tuple[bytes, ...]]:  # fmt: skip
    files = []
    parts = [("MAGNITUDE", None, np.round(magnitude * 800).astype(np.uint16), 1.0, 0.0)]
    parts += [("PHASE", way, _stored(phase), _SLOPE, _LOWEST) for way, _, phase in encoded]
    for n, (component, way, pixels, slope, intercept) in enumerate(parts):
        said: dict[str, Any] = {} if way is None else {"VelocityEncodingDirection": [float(v) for v in way]}
        ds = _base(seed, who, at, f"4D flow {'M' if way is None else 'P' + str(n)}", 5 + n, mm, frames, _ENHANCED, {})
        del ds.PixelSpacing, ds.ImageOrientationPatient, ds.SliceThickness
        ds.ImageType = ["ORIGINAL", "PRIMARY", "VELOCITY" if said else "ANGIO", "NONE"]
        _functional_groups(ds, pixels, mm, component, said, venc, slope, intercept, header)
        files.append(written(ds, 1))
        study = str(ds.StudyInstanceUID)
    return study, tuple(files)


def _functional_groups(
    ds: Any, pixels: Any, mm: float, component: str, said: dict[str, Any], venc: float, slope: float,
    intercept: float, header: dict[str, Any],
) -> None:  # fmt: skip
    from pydicom.dataset import Dataset

    def item(**values: Any) -> list[Any]:
        made = Dataset()
        for keyword, value in values.items():
            setattr(made, keyword, value)
        return [made]

    frames, slices, rows, columns = pixels.shape
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=[mm, mm], SliceThickness=mm)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    shared.PixelValueTransformationSequence = item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
    shared.MRImageFrameTypeSequence = item(
        FrameType=["ORIGINAL", "PRIMARY", "VELOCITY" if said else "ANGIO", "NONE"], ComplexImageComponent=component
    )
    if said:
        told = {"VelocityEncodingMaximumValue": venc, "VelocityEncodingMinimumValue": -venc, **said, **header}
        shared.MRVelocityEncodingSequence = item(**{k: v for k, v in told.items() if v is not None})
    ds.SharedFunctionalGroupsSequence = [shared]
    each = []
    for t in range(frames):
        for k in range(slices):
            own = Dataset()
            own.PlanePositionSequence = item(ImagePositionPatient=_place((slices, rows, columns), k, mm))
            own.CardiacSynchronizationSequence = item(NominalCardiacTriggerDelayTime=float(t * RR_MS / frames))
            own.FrameContentSequence = item(StackID="1", InStackPositionNumber=k + 1, TemporalPositionIndex=t + 1)
            each.append(own)
    ds.PerFrameFunctionalGroupsSequence = each
    ds.NumberOfFrames = frames * slices
    put_pixels(ds, pixels.reshape(-1, rows, columns)[0])
    ds.PixelData = np.ascontiguousarray(pixels).astype("<u2").tobytes()
    ds.Rows, ds.Columns = rows, columns


def slice_patient(
    *,
    seed: int = 1,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 9, 11, 40),
    size: int = 96,
    mm: float = 1.5,
    radius_mm: float = 13.0,
    frames: int = 30,
    peak_m_s: float = 1.0,
    back_percent: float = 30.0,
    venc_cm_s: float = 150.0,
    eddy_cm_s: float = 3.0,
    snr: float = 20.0,
    slope_deg: float = 0.0,
    header: dict[str, Any] | None = None,
) -> Phantom:
    """An adult with one slice across the ascending aorta and velocity through the plane, as Siemens writes it.

    The slice is oblique in the patient. A second, smaller vessel with steady flow the other way lies behind it.

    Args:
        slope_deg: how far the slice is from standing square on the vessel.
    """
    who = person or Person(f"ISO-DEMO-PLANE-{seed}", "PHANTOM^VALVE", "F", "19790712", 1.68, 64.0)
    at_mm = (np.arange(size) - (size - 1) / 2) * mm
    y, x = at_mm[:, None], at_mm[None, :]
    lean = np.cos(np.radians(slope_deg))
    main = 1.0 - (((x + 20.0) * lean) ** 2 + (y + 12.0) ** 2) / radius_mm**2
    vein = 1.0 - ((x - 30.0) ** 2 + (y - 30.0) ** 2) / 49.0
    beat = waveform(frames, back_percent)
    moving = 100.0 * peak_m_s * beat[:, None, None] * np.clip(main, 0, None) * lean - 15.0 * np.clip(vein, 0, None)
    body = np.hypot(x / (0.48 * size * mm), y / (0.45 * size * mm)) < 1.0
    signal = body + 0.6 * (main > 0) + 0.3 * (vein > 0)
    still = _background((1, size, size), eddy_cm_s)[2]
    rng = np.random.default_rng([seed, 37])
    magnitude, phase = _scanned((moving + still[0])[:, None], signal, venc_cm_s, snr, rng)
    files = []
    tilt = np.radians(35.0)
    row, column = np.array([1.0, 0, 0]), np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    centre = np.array([5.0, -20.0, 30.0])
    place = centre - row * (size - 1) / 2 * mm - column * (size - 1) / 2 * mm
    for number, letter, pixels in ((3, "M", np.round(magnitude * 800).astype(np.uint16)), (4, "P", _stored(phase))):
        ds = _base(seed, who, at, f"Flow Ao {letter}", number, mm, frames, _CLASSIC, {})
        ds.ImageType, ds.SequenceName = ["ORIGINAL", "PRIMARY", letter, "ND"], "*fl2d1"
        ds.ImageOrientationPatient = [round(float(v), 6) for v in (*row, *column)]
        ds.SliceThickness, ds.PixelSpacing = 6.0, [mm, mm]
        if letter == "P":
            ds.SequenceName, ds.RescaleSlope, ds.RescaleIntercept = f"*fl2d1_v{venc_cm_s:.0f}in", _SLOPE, _LOWEST
        for keyword, value in (header or {}).items():
            setattr(ds, keyword, value)
        position = [round(float(v), 4) for v in place]

        def placed(one: Any, position: list[float] = position) -> None:
            one.ImagePositionPatient = position

        files += _classic_series(ds, pixels, mm, 1, placed)
    rate = np.pi * radius_mm**2 * peak_m_s / 2.0 * beat
    step_s = RR_MS / frames / 1000.0
    truth = {
        "study_uid": str(ds.StudyInstanceUID), "forward_ml": float(rate[rate > 0].sum() * step_s),
        "backward_ml": float(-rate[rate < 0].sum() * step_s), "net_ml": float(rate.sum() * step_s),
        "regurgitant_percent": back_percent, "peak_m_s": float(peak_m_s * beat.max()),
        "centre_px": (float(-12.0 / mm + (size - 1) / 2), float(-20.0 / mm + (size - 1) / 2)),
        "radius_px": radius_mm / mm,
    }  # fmt: skip
    return Phantom("aortic valve with flow through one slice", tuple(files), truth)
