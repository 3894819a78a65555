"""A PET/CT of the trunk with balls of known uptake, and a structure set that outlines them.

The CT says Hounsfield units; the PET says Bq/mL, decay-corrected to the start of its series, with a rescale slope
that changes from slice to slice as on real scanners. Both stand in one frame of reference on grids of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.testing.phantoms.patient import Person, Phantom, later, new, put_pixels, uid, written

__all__ = ["Ball", "patient"]

_SLICES, _STEP_MM = 60, 4.0
_CT, _CT_MM = 256, 1.6
_PET, _PET_MM = 128, 3.2
_HALF_LIFE_S = 6586.2  # fluorine-18
_DOSE_BQ = 3.7e8
_WAIT_S = 3600  # from injection to the start of the PET

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ball:
    """A spherical lesion: centre in patient millimetres (LPS), diameter, and the uptake planted in it."""

    label: str
    centre_mm: tuple[float, float, float]
    diameter_mm: float
    suv: float


_BALLS = (
    Ball("Lesion 1 (right lung)", (-62.0, -8.0, 62.0), 26.0, 9.0),
    Ball("Lesion 2 (mediastinum)", (-6.0, -22.0, 96.0), 20.0, 6.5),
    Ball("Lesion 3 (liver)", (-58.0, -12.0, -62.0), 34.0, 11.0),
)


_ORGANS = (Ball("liver", (-56.0, -8.0, -34.0), 60.0, 2.2), Ball("aorta", (14.0, 32.0, 30.0), 20.0, 1.6))


class _Trunk:
    """The organs as soft memberships on one grid: x to the left, y to the back, z to the head, all in millimetres."""

    def __init__(self, n: int, mm: float) -> None:
        across = ((np.arange(n) - (n - 1) / 2) * mm).astype(np.float32)
        height = ((np.arange(_SLICES) - (_SLICES - 1) / 2) * _STEP_MM).astype(np.float32)
        self.z, self.y, self.x = height[:, None, None], across[None, :, None], across[None, None, :]
        self.soft_mm = max(0.8, mm / 2)

    def egg(self, centre: tuple[float, float, float], half: tuple[float, float, float], power: float = 2.0) -> Array:
        """An ellipsoid; an infinite half axis makes a tube, one slice of which stands for all."""
        total: Any = 0.0
        size, box = [1, 1, 1], [slice(None)] * 3
        for axis, place, middle, reach in zip((2, 1, 0), (self.x, self.y, self.z), centre, half, strict=True):
            if np.isfinite(reach):
                term = np.abs((place - np.float32(middle)) / np.float32(reach))
                near = np.flatnonzero(term <= 1.01 + self.soft_mm / min(half))  # beyond lies nothing of it
                size[axis], box[axis] = term.size, slice(near[0], near[-1] + 1)
                term = np.take(term, near, axis)
                total = total + (term * term if power == 2 else term**power)
        radius = np.sqrt(total) if power == 2 else total ** (1 / power)
        inside = (1 - radius) * min(half) / self.soft_mm
        whole = np.zeros(size, np.float32)
        whole[tuple(box)] = np.clip(inside + 0.5, 0, 1)
        return whole

    def parts(self) -> list[tuple[str, Array, float, float]]:
        """(name, membership, HU, SUV), later parts over earlier ones."""
        inf = np.inf
        body = self.egg((0, 0, 0), (168, 108, inf), 2.3)
        muscle = self.egg((0, 0, 0), (152, 93, inf), 2.3)
        cavity = self.egg((0, -6, 0), (136, 78, inf), 2.3)
        above = np.clip((self.z - 2 - 16 * np.exp(-(((np.abs(self.x) - 70) / 46) ** 2))) / 4 + 0.5, 0, 1)
        lung_r = self.egg((-70, -2, 40), (56, 74, 110)) * above
        lung_l = self.egg((72, -2, 40), (54, 72, 110)) * above
        ribs = []
        ring = self.egg((0, -2, 0), (146, 88, inf), 2.3) - self.egg((0, -2, 0), (139, 81, inf), 2.3)
        for k in range(9):
            slope = self.z - (100 - 24 * k) - 0.22 * self.y
            ribs.append(np.exp(-((slope / 5.0) ** 2)))
        vertebrae = 0.55 + 0.45 * np.tanh(4 * np.cos(self.z * 2 * np.pi / 28))
        return [
            ("fat", body, -95, 0.35),
            ("muscle", muscle, 55, 0.7),
            ("cavity fat", cavity, -90, 0.5),
            ("gut", self.egg((10, -10, -70), (112, 58, 66)), 30, 0.9),
            ("liver", self.egg((-56, -8, -34), (78, 66, 46)), 62, 2.2),
            ("spleen", self.egg((88, 34, -34), (28, 34, 36)), 52, 1.8),
            ("right kidney", self.egg((-58, 44, -82), (26, 24, 40)), 34, 3.2),
            ("left kidney", self.egg((60, 44, -78), (26, 24, 40)), 34, 3.2),
            ("right lung", lung_r, -840, 0.4),
            ("left lung", lung_l, -840, 0.4),
            ("mediastinum", self.egg((4, 0, 70), (34, 56, 100)), 30, 1.2),
            ("heart", self.egg((22, -22, 20), (52, 44, 44)), 45, 1.9),
            ("myocardium", self.egg((34, -20, 12), (33, 30, 34)) - self.egg((34, -20, 12), (22, 20, 24)), 50, 4.2),
            ("aorta", self.egg((14, 32, 0), (11, 11, inf)), 44, 1.6),
            ("trachea", self.egg((2, -4, 110), (9, 9, 56)), -980, 0.1),
            ("bone", self.egg((0, 62, 0), (21, 18, inf)) * vertebrae, 260, 1.3),
            ("cord", self.egg((0, 82, 0), (8, 8, inf)), 30, 1.1),
            ("ribs", ring * np.clip(np.sum(ribs, axis=0), 0, 1), 420, 0.9),
        ]  # fmt: skip

    def painted(self, quantity: str, background: float, balls: tuple[Ball, ...], ball: dict[str, float]) -> Array:
        """One value for each voxel, of the quantity "HU" or "SUV"."""
        image = np.full((_SLICES, self.y.size, self.x.size), background, np.float32)
        painted = [(part, hu if quantity == "HU" else suv) for _, part, hu, suv in self.parts()]
        painted += [(self.ball(one), ball[one.label]) for one in balls]
        for number, plane in enumerate(
            image
        ):  # slice by slice: each stays near the processor, and most hold few organs
            for part, value in painted:
                here = part[number if len(part) > 1 else 0]
                if here.any():
                    plane += here * (value - plane)
        return image

    def ball(self, one: Ball) -> Array:
        """A sharp ball, anti-aliased over one voxel."""
        far = one.diameter_mm / 2 + self.soft_mm
        x, y, z = (p - middle for p, middle in zip((self.x, self.y, self.z), one.centre_mm, strict=True))
        box = tuple(np.flatnonzero(np.abs(away) <= far) for away in (z, y, x))
        away = np.sqrt(x[:, :, box[2]] ** 2 + y[:, box[1]] ** 2 + z[box[0]] ** 2)
        whole = np.zeros((z.size, y.size, x.size), np.float32)
        whole[np.ix_(*box)] = np.clip((one.diameter_mm / 2 - away) / self.soft_mm + 0.5, 0, 1)
        return whole


def _ct_files(person: Person, seed: int, at: datetime, balls: tuple[Ball, ...]) -> tuple[list[bytes], list[str], Any]:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 2])
    hu = _Trunk(_CT, _CT_MM).painted("HU", -1000.0, balls, {b.label: 45.0 for b in balls})
    table = np.zeros(hu.shape[1:], bool)
    table[int(_CT / 2 + 111 / _CT_MM) : int(_CT / 2 + 117 / _CT_MM), 40:-40] = True
    hu[:, table] = -120
    noise = gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), (0, 0.8, 0.8))
    hu += noise * np.float32(14 / noise.std())
    ds = new(
        "pet_ct", person, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="FDG PET/CT trunk",
        series="CT low dose", at=at, series_number=2, body_part="CHESTABDOMEN",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.SliceThickness, ds.PatientPosition = 120, _STEP_MM, "HFS"
    ds.ConvolutionKernel, ds.AcquisitionNumber = "STANDARD", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    _plane(ds, _CT_MM, _CT, seed)
    files, uids = [], []
    stored = np.clip(np.round(hu) + 1024, 0, 4095).astype(np.uint16)
    for k in range(_SLICES):
        _place(ds, k, _CT, _CT_MM)
        put_pixels(ds, stored[k], bits=12)
        files.append(written(ds, k + 1))
        uids.append(ds.SOPInstanceUID)
    return files, uids, ds


def _plane(ds: Any, mm: float, n: int, seed: int) -> None:
    ds.FrameOfReferenceUID = uid("pet_ct", seed, "frame")
    ds.PixelSpacing = [mm, mm]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]


def _place(ds: Any, k: int, n: int, mm: float) -> None:
    corner = -(n - 1) / 2 * mm
    z = (k - (_SLICES - 1) / 2) * _STEP_MM
    ds.ImagePositionPatient, ds.SliceLocation = [round(corner, 3), round(corner, 3), z], z


def _pet_files(
    person: Person, seed: int, at: datetime, balls: tuple[Ball, ...]
) -> tuple[list[bytes], Any, dict[str, dict[str, Any]]]:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([seed, 3])
    trunk = _Trunk(_PET, _PET_MM)
    suv = trunk.painted("SUV", 0.0, balls, {b.label: b.suv for b in balls})
    sigma = 5.0 / 2.3548  # resolution of 5 mm full width at half maximum
    suv = gaussian_filter(suv, (sigma / _STEP_MM, sigma / _PET_MM, sigma / _PET_MM))
    noise = gaussian_filter(rng.standard_normal(suv.shape, dtype=np.float32), 0.7)
    suv = np.maximum(suv + noise / noise.std() * 0.06 * np.sqrt(np.maximum(suv, 0)), 0)
    decayed = _DOSE_BQ * 2 ** (-_WAIT_S / _HALF_LIFE_S)
    per_suv = decayed / (person.weight_kg * 1000.0)  # Bq/mL for one SUV
    ds = new(
        "pet_ct", person, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.128", modality="PT", study="FDG PET/CT trunk",
        series="PET attenuation corrected", at=at, series_number=3, body_part="CHESTABDOMEN",
    )  # fmt: skip
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SeriesType, ds.Units, ds.CountsSource = ["WHOLE BODY", "IMAGE"], "BQML", "EMISSION"
    ds.NumberOfSlices, ds.DecayCorrection = _SLICES, "START"
    ds.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    ds.CollimatorType, ds.RandomsCorrectionMethod = "NONE", "DLYD"
    ds.AttenuationCorrectionMethod, ds.ScatterCorrectionMethod = "CT", "model"
    ds.ReconstructionMethod = "simulated"
    ds.SliceThickness = _STEP_MM
    ds.FrameReferenceTime, ds.ActualFrameDuration = 90000, 180000
    ds.DecayFactor = 1
    injected = later(at, -_WAIT_S)
    tracer, nuclide, drug = Dataset(), Dataset(), Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator, nuclide.CodeMeaning = "77004003", "SCT", "^18^Fluorine"
    drug.CodeValue, drug.CodingSchemeDesignator, drug.CodeMeaning = "35321007", "SCT", "Fluorodeoxyglucose F^18^"
    tracer.Radiopharmaceutical = "FDG"
    tracer.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S.00")
    tracer.RadiopharmaceuticalStartDateTime = injected.strftime("%Y%m%d%H%M%S.00")
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = _DOSE_BQ, _HALF_LIFE_S
    tracer.RadionuclidePositronFraction = 0.967
    tracer.RadionuclideCodeSequence = Sequence([nuclide])
    tracer.RadiopharmaceuticalCodeSequence = Sequence([drug])
    ds.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    orientation, gantry = Dataset(), Dataset()
    for item, code, meaning in (
        (orientation, "102538003", "recumbent"),
        (gantry, "102540008", "headfirst"),
    ):
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", meaning
    supine = Dataset()
    supine.CodeValue, supine.CodingSchemeDesignator, supine.CodeMeaning = "40199007", "SCT", "supine"
    orientation.PatientOrientationModifierCodeSequence = Sequence([supine])
    ds.PatientOrientationCodeSequence = Sequence([orientation])
    ds.PatientGantryRelationshipCodeSequence = Sequence([gantry])
    ds.RescaleIntercept = 0
    _plane(ds, _PET_MM, _PET, seed)
    files, kept = [], np.empty_like(suv, dtype=np.float64)
    for k in range(_SLICES):
        becquerel = suv[k] * per_suv
        slope = round(float(becquerel.max()) / 32000, 6)
        stored = np.round(becquerel / slope).astype(np.int16)
        kept[k] = stored * slope / per_suv
        ds.RescaleSlope, ds.ImageIndex = f"{slope:.6f}", k + 1
        ds.WindowCenter, ds.WindowWidth = f"{2.5 * per_suv:.1f}", f"{5 * per_suv:.1f}"
        _place(ds, k, _PET, _PET_MM)
        put_pixels(ds, stored)
        files.append(written(ds, k + 1))
    truth = {}
    voxel_ml = _PET_MM * _PET_MM * _STEP_MM / 1000
    for one in balls:
        near = trunk.ball(Ball(one.label, one.centre_mm, one.diameter_mm + 12, one.suv)) > 0.5
        peak = float(kept[near].max())
        truth[one.label] = {
            "planted_suv": one.suv,
            "diameter_mm": one.diameter_mm,
            "volume_ml": np.pi * one.diameter_mm**3 / 6000,
            "suv_max": peak,
            "mtv_41_ml": float(np.count_nonzero(near & (kept >= 0.41 * peak))) * voxel_ml,
            "centre_mm": one.centre_mm,
        }
    return files, ds, truth


def _structures(
    person: Person, seed: int, at: datetime, balls: tuple[Ball, ...], ct: Any, ct_uids: list[str]
) -> tuple[bytes, Any]:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    ds = new(
        "pet_ct", person, seed=seed, sop_class="1.2.840.10008.5.1.4.1.1.481.3", modality="RTSTRUCT",
        study="FDG PET/CT trunk", series="Lesions", at=at, series_number=4,
    )  # fmt: skip
    for keyword in ("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"):
        delattr(ds, keyword)
    ds.OperatorsName = ""
    ds.StructureSetLabel, ds.StructureSetName = "LESIONS", "Planted lesions"
    ds.StructureSetDate, ds.StructureSetTime = ds.SeriesDate, ds.SeriesTime
    ds.ApprovalStatus = "UNAPPROVED"
    ds.FrameOfReferenceUID = ct.FrameOfReferenceUID

    def image(number: int) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ct.SOPClassUID, ct_uids[number]
        return item

    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = ct.SeriesInstanceUID
    series.ContourImageSequence = Sequence([image(k) for k in range(_SLICES)])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", ct.StudyInstanceUID
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.FrameOfReferenceUID = ct.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Sequence([study])
    ds.ReferencedFrameOfReferenceSequence = Sequence([frame])
    rois, drawn, said = [], [], []
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    for number, one in enumerate(balls, 1):
        roi, contours, observation = Dataset(), [], Dataset()
        roi.ROINumber, roi.ReferencedFrameOfReferenceUID = number, ct.FrameOfReferenceUID
        roi.ROIName, roi.ROIGenerationAlgorithm = one.label, "AUTOMATIC"
        for k in range(_SLICES):
            z = (k - (_SLICES - 1) / 2) * _STEP_MM
            left = (one.diameter_mm / 2) ** 2 - (z - one.centre_mm[2]) ** 2
            if left <= 1:
                continue
            points = np.stack(
                [one.centre_mm[0] + np.sqrt(left) * np.cos(turn), one.centre_mm[1] + np.sqrt(left) * np.sin(turn),
                 np.full(64, z)], 1,
            )  # fmt: skip
            contour = Dataset()
            contour.ContourImageSequence = Sequence([image(k)])
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", 64
            contour.ContourData = [f"{v:.3f}" for v in points.ravel()]
            contours.append(contour)
        outline = Dataset()
        outline.ROIDisplayColor, outline.ReferencedROINumber = [255, 120, 0], number
        outline.ContourSequence = Sequence(contours)
        observation.ObservationNumber, observation.ReferencedROINumber = number, number
        observation.RTROIInterpretedType, observation.ROIInterpreter = "GTV", ""
        rois.append(roi)
        drawn.append(outline)
        said.append(observation)
    ds.StructureSetROISequence, ds.ROIContourSequence = Sequence(rois), Sequence(drawn)
    ds.RTROIObservationsSequence = Sequence(said)
    return written(ds, 1), ds


def patient(
    *,
    seed: int = 1,
    balls: tuple[Ball, ...] = _BALLS,
    structures: bool = True,
    organs: bool = False,
    person: Person | None = None,
    at: datetime = datetime(2026, 3, 2, 10, 5),
) -> Phantom:
    """An adult with a low-dose CT and an FDG PET of the trunk, and an RTSTRUCT of the lesions.

    Args:
        seed: decides noise and every UID.
        balls: the lesions.
        structures: whether the structure set is written too.
        organs: whether it outlines a ball in the liver and one in the aorta as well, for comparison with lesions.

    `truth["lesions"]` holds for each ball the planted uptake, and what its voxels really say after blur, noise and
    quantisation: ``suv_max`` and the volume above 41 % of it.
    """
    who = person or Person(f"ISO-DEMO-PET-{seed}", "PHANTOM^TRUNK", "F", "19610214", 1.66, 68.0)
    ct_files, ct_uids, ct = _ct_files(who, seed, later(at, -300), balls)
    pet_files, pet, lesions = _pet_files(who, seed, at, balls)
    files, more = [*ct_files, *pet_files], {}
    if structures:
        file, rt = _structures(who, seed, later(at, 900), (*balls, *(_ORGANS if organs else ())), ct, ct_uids)
        files.append(file)
        more["structures_uid"] = str(rt.SeriesInstanceUID)
    return Phantom(
        "PET/CT with lesions",
        tuple(files),
        {
            "study_uid": str(ct.StudyInstanceUID),
            "ct_uid": str(ct.SeriesInstanceUID),
            "pet_uid": str(pet.SeriesInstanceUID),
            "lesions": lesions,
            **more,
        },
    )
