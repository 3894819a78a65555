"""Crooked DICOM is made with the same words as straight DICOM."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))
