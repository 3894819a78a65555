"""What every process that cleans objects needs first, loaded once for all of them.

Tables, patterns and compiled functions take more than a second to load, as long as hundreds of images take to clean.
The quiet process from which the others are made (`in_processes`) imports this and hands all of it on: one small image
of nobody is cleaned here, and thrown away.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.pseudonyms import Pseudonyms

__all__: list[str] = []


def _of_nobody() -> bytes:
    """A computed tomogram of 64 by 64 pixels, of which some share one value, but lie apart as letters do not."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = "2.25.3"
    image.StudyInstanceUID, image.SeriesInstanceUID = "2.25.1", "2.25.2"
    image.Modality, image.PatientName, image.PatientID, image.StudyDate = "CT", "Nobody^Nemo", "000000", "20000101"
    image.ImageType, image.StudyDescription = ["ORIGINAL", "PRIMARY", "AXIAL"], "Nobody"
    pixels = np.arange(64 * 64, dtype=np.int16)
    pixels[::40] = 3000
    image.Rows = image.Columns = 64
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.PixelData = pixels.tobytes()
    file = BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


deidentify(_of_nobody(), by=Pseudonyms(b"\0" * 32), reviewed=True)
