"""Studies to write into: real samples that come with the dependencies, and grids at any angle."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, FileMetaDataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.uid import ComputedRadiographyImageStorage, CTImageStorage, ExplicitVRLittleEndian

from isocenter.record import Finding, Instance, Measurement, Origin, Outcome, Patient, Receipt, Result, Series, Study
from isocenter.record import codes as words
from isocenter.space import Geometry, Reference, Region

WHEN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STUDY_UID = "1.2.826.0.1.3680043.10.1.1"
SERIES_UID = "1.2.826.0.1.3680043.10.1.2"
FRAME_UID = "1.2.826.0.1.3680043.10.1.3"

Archive = tuple[Study, Callable[[str], bytes]]


def file_bytes(dataset: Dataset) -> bytes:
    """A dataset as a stored file."""
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def record(*files: bytes) -> Archive:
    """A study and its sources, from stored files of one study."""
    held: dict[str, bytes] = {}
    series: dict[str, list[tuple[Dataset, Instance]]] = {}
    for data in files:
        d = dcmread(io.BytesIO(data), stop_before_pixels=True)
        held[d.SOPInstanceUID] = data
        facts = {}
        if "ImagePositionPatient" in d:
            facts["ImagePositionPatient"] = [float(x) for x in d.ImagePositionPatient]
        one = Instance(
            str(d.SOPInstanceUID), str(d.SOPClassUID), str(d.file_meta.TransferSyntaxUID), "", len(data), None,
            int(d.get("Rows", 0)), int(d.get("Columns", 0)), int(d.get("NumberOfFrames", 1) or 1), facts,
        )  # fmt: skip
        series.setdefault(str(d.SeriesInstanceUID), []).append((d, one))
    d = next(iter(series.values()))[0][0]
    whole = Study(
        str(d.StudyInstanceUID),
        Patient(str(d.get("PatientID", "")), str(d.get("PatientName", "")), None, str(d.get("PatientSex", ""))),
        accession="A1",
        date=date(2026, 11, 20),
        description=str(d.get("StudyDescription", "")),
        series=tuple(
            Series(uid, str(many[0][0].Modality), 1, instances=tuple(i for _, i in many))
            for uid, many in series.items()
        ),
    )
    return whole, held.__getitem__


def stack(geometry: Geometry) -> Archive:
    """A CT series of zeros whose slices lie on the given grid."""
    files = []
    steps = geometry.affine[:3, :3]
    spacing = geometry.spacing_mm
    for k in range(geometry.shape[0]):
        d = Dataset()
        d.file_meta = FileMetaDataset()
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = CTImageStorage
        d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = f"{SERIES_UID}.{k + 1}"
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = STUDY_UID, SERIES_UID, FRAME_UID
        d.PatientID, d.PatientName, d.PatientBirthDate, d.PatientSex = "P1", "Müller^Jörg", "19500101", "M"
        d.AccessionNumber, d.StudyID, d.StudyDate, d.StudyTime = "A1", "1", "20261120", "080000"
        d.SpecificCharacterSet = "ISO_IR 100"
        d.ReferringPhysicianName = ""
        d.Modality, d.Manufacturer, d.SeriesNumber, d.InstanceNumber = "CT", "Test", 1, k + 1
        d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.Rows, d.Columns = geometry.shape[1:]
        d.ImagePositionPatient = [format(x, ".9g") for x in geometry.to_patient((k, 0, 0))]
        d.ImageOrientationPatient = [format(x, ".9g") for x in (*steps[:, 2] / spacing[2], *steps[:, 1] / spacing[1])]
        d.PixelSpacing = [format(spacing[1], ".9g"), format(spacing[2], ".9g")]
        d.SliceThickness = format(spacing[0], ".9g")
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
        d.RescaleSlope, d.RescaleIntercept, d.PositionReferenceIndicator = 1, 0, ""
        d.PixelData = np.zeros(geometry.shape[1:], np.int16).tobytes()
        files.append(file_bytes(d))
    return record(*files)


def enhanced(geometry: Geometry) -> Archive:
    """The same series as one multi-frame object."""
    import highdicom

    study, sources = stack(geometry)
    singles = [dcmread(io.BytesIO(sources(i.sop_uid))) for i in study.series[0].instances]
    made = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        legacy_datasets=singles,
        series_instance_uid=SERIES_UID,
        series_number=2,
        sop_instance_uid=f"{SERIES_UID}.50",
        instance_number=1,
    )
    return record(file_bytes(made))


def radiograph(rows: int = 40, columns: int = 50) -> Archive:
    """A computed radiograph, which has no patient space."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = ComputedRadiographyImageStorage
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = f"{SERIES_UID}.7.1"
    d.StudyInstanceUID, d.SeriesInstanceUID = STUDY_UID, f"{SERIES_UID}.7"
    d.PatientID, d.PatientName, d.PatientBirthDate, d.PatientSex = "P1", "Anonymous", "", "U"
    d.Modality, d.BodyPartExamined, d.ViewPosition = "CR", "CHEST", "PA"
    d.Rows, d.Columns, d.PixelSpacing = rows, columns, [0.5, 0.5]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 8, 8, 7, 0
    d.PixelData = bytes(rows * columns)
    return record(file_bytes(d))


def on_film(study: Study, mask: npt.NDArray[np.bool_] | None = None) -> Region:
    """A box on a radiograph."""
    image = study.series[0].instances[0]
    grid = Geometry.regular(shape=(1, image.rows, image.columns), reference=Reference.PIXEL)
    if mask is None:
        mask = np.zeros(grid.shape, bool)
        mask[0, 10:30, 5:12] = True
    return Region(grid, mask=mask, series_uid=study.series[0].uid, instance_uid=image.sop_uid, label="opacity")


def sample(name: str) -> bytes:
    """A file that comes with pydicom."""
    path = get_testdata_file(name, download=False)
    assert path is not None, name
    return Path(str(path)).read_bytes()


def found(*regions: Region, study: str = STUDY_UID, origin: Origin | None = None, **more: object) -> Result:
    """A result with one lesion for each region."""
    return Result(
        study,
        Outcome.FOUND,
        origin or Origin("machine", "volumetry", "1", parameters={"threshold": 0.5}),
        WHEN,
        findings=tuple(
            Finding(
                words.LESION,
                0.9,
                region,
                (Measurement(words.VOLUME, region.volume_ml or 0.125, "mL"),),
                words.LUNG,
                words.LEFT,
                f"Lesion {i + 1}.",
                f"{STUDY_UID}.77.{i + 1}",
            )
            for i, region in enumerate(regions)
        ),
        receipt=Receipt(("aa",), (SERIES_UID,), "0.1.0", 1.5),
        **more,  # type: ignore[arg-type]
    )


def ball(geometry: Geometry, radius_mm: float = 4.0, label: str = "ball") -> Region:
    """A ball of voxels in the middle of a grid."""
    index = np.moveaxis(np.indices(geometry.shape), 0, -1)
    middle = geometry.to_patient((np.array(geometry.shape) - 1) / 2)
    mask = np.linalg.norm(geometry.to_patient(index) - middle, axis=-1) <= radius_mm
    return Region(geometry, mask=mask, series_uid=SERIES_UID, label=label)


def letter_f(geometry: Geometry) -> npt.NDArray[np.bool_]:
    """A letter F in the middle slices: mirrored or turned, it is no F."""
    rows = ["1111", "1000", "1110", "1000", "1000"]
    mask = np.zeros(geometry.shape, bool)
    for r, row in enumerate(rows):
        for c, bit in enumerate(row):
            mask[1:3, 1 + r, 2 + c] |= bit == "1"
    return mask


def dciodvfy(data: bytes, tmp_path: Path) -> list[str]:
    """Errors of the validator of dicom3tools."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    path = tmp_path / "object.dcm"
    path.write_bytes(data)
    said = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


MACHINE = Origin("machine", "pet_uptake", "1")


def finding(name: str = "a", **more: object) -> Finding:
    """A finding with numbers and a side."""
    base = Finding(
        words.LESION, 0.934, None,
        (
            Measurement(words.SUV_MAX, 21.6761, "{SUVbw}g/ml"),
            Measurement(words.MTV, 3.2046, "mL"),
            Measurement(words.LONG_AXIS, 34.04, "mm"),
        ),
        words.LUNG, words.LEFT, "", f"{STUDY_UID}.{name}",
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def result(*findings: Finding, outcome: Outcome = Outcome.FOUND, origin: Origin = MACHINE, **more: object) -> Result:
    """A result with these findings."""
    made = more.pop("made", WHEN)
    return Result(STUDY_UID, outcome, origin, made, findings=findings, **more)  # type: ignore[arg-type]
