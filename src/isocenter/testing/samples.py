"""Real images that come inside the wheels of our dependencies: pydicom's test files, nibabel's head."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.resources import files

import numpy as np

__all__ = ["NAMES", "shipped"]

NAMES = ("CT_small.dcm", "MR_small.dcm", "eCT_Supplemental.dcm", "SC_rgb.dcm", "examples_palette.dcm", "JPEG2000.dcm")
"""pydicom's samples: a CT, an MR, an enhanced CT, colour, a palette, JPEG 2000."""


def shipped() -> Iterator[bytes]:
    """Every sample as the bytes of a DICOM file. A sample that a version of a dependency does not carry is left out."""
    folder = files("pydicom.data").joinpath("test_files")
    for name in NAMES:
        sample = folder.joinpath(name)
        if sample.is_file():
            yield sample.read_bytes()
    yield from _head()


def _head() -> Iterator[bytes]:
    """nibabel's anatomical head (33 x 41 x 25 voxels, a real T1 MR made small) as a DICOM MR series."""
    import nibabel as nib
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    sample = files("nibabel").joinpath("tests", "data", "anatomical.nii")
    if not sample.is_file():
        return
    image = nib.Nifti1Image.from_bytes(sample.read_bytes())
    values = np.asarray(image.dataobj, dtype=np.float64)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    # NIfTI counts rows from the back; a radiologist expects the nose above: turn the axis with its affine.
    values = values[:, ::-1]
    lps[:3, 3] += lps[:3, 1] * (values.shape[1] - 1)
    lps[:3, 1] *= -1
    steps = lps[:3, :3]
    spacing = np.linalg.norm(steps, axis=0)
    scaled = np.round(4095 * (values - values.min()) / np.ptp(values)).astype(np.uint16)
    for k in range(values.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = _uid(1000 + k)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = _uid(1), _uid(2), _uid(3)
        made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "SAMPLE^HEAD", "SAMPLE-HEAD", "", "O"
        made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber = "20110101", "120000", "1", ""
        made.ReferringPhysicianName, made.StudyDescription = "", "MR head (sample)"
        made.Modality, made.SeriesNumber, made.InstanceNumber, made.BodyPartExamined = "MR", 1, k + 1, "HEAD"
        made.Manufacturer, made.PositionReferenceIndicator, made.Laterality = "", "", ""
        made.ImageType, made.ScanningSequence, made.SequenceVariant = ["DERIVED", "SECONDARY", "OTHER"], "RM", "NONE"
        made.ScanOptions, made.MRAcquisitionType, made.EchoTime, made.RepetitionTime = "", "3D", None, None
        made.EchoTrainLength, made.PatientPosition = None, "HFS"
        made.SliceThickness = float(spacing[2])
        made.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        directions = steps / spacing
        made.ImageOrientationPatient = [float(round(v, 6)) for v in (*directions[:, 0], *directions[:, 1])]
        made.ImagePositionPatient = [float(round(v, 6)) for v in (lps @ (0, 0, k, 1))[:3]]
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.Rows, made.Columns = values.shape[1], values.shape[0]
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
        made.PixelData = np.ascontiguousarray(scaled[:, :, k].T).tobytes()
        buffer = io.BytesIO()
        made.save_as(buffer, enforce_file_format=True)
        yield buffer.getvalue()


def _uid(number: int) -> str:
    # Fixed, so that the demonstration finds its own sample again at the next start.
    return f"2.25.31415926535897932384626433832{number:05d}"
