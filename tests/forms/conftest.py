"""Fixtures of the forms room."""

import os
from pathlib import Path

import pytest
from forms_samples import FRAME_UID, Archive, stack

from isocenter.space import Geometry


@pytest.fixture
def data_folder() -> Path:
    """Real data outside the project."""
    folder = Path(os.environ.get("ISOCENTER_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ISOCENTER_DATA")
    return folder


@pytest.fixture
def axial() -> Geometry:
    """A small axial grid in a named frame of reference."""
    return Geometry.regular(
        shape=(6, 16, 18), spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-10, 5, 30), frame_of_reference=FRAME_UID
    )


@pytest.fixture
def archive(axial: Geometry) -> Archive:
    """A CT series on the axial grid."""
    return stack(axial)
