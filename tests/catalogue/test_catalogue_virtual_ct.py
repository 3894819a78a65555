"""Images computed from two energies are told from plain CT by the words of their makers."""

from __future__ import annotations

import io
import random

import pydicom
import pytest
from multi_frame import multi_frame
from pydicom.dataset import Dataset
from real_series import loaded

from isocenter.catalogue.virtual_ct import virtual_image
from isocenter.testing.phantoms import coronary


@pytest.mark.parametrize(
    ("described", "kind", "what"),
    [
        ("MonoE 40keV[HU]", (), "a virtual image of 40 keV"),
        ("DE_MonoPlus_190 keV", (), "a virtual image of 190 keV"),
        ("MONO 70 keV", (), ""),
        ("Thorax", ("DERIVED", "PRIMARY", "AXIAL", "MONO_50KEV"), "a virtual image of 50 keV"),
        ("Thorax", ("DERIVED", "PRIMARY", "AXIAL", "VMI"), "a virtual image of one energy that it does not state"),
        ("Mono 65 keV", ("DERIVED", "PRIMARY", "AXIAL", "VMI"), ""),
        ("Iodine no Water[mg/ml]", (), "a map of iodine"),
        ("Liver VNC 3.0", (), "a virtual image without contrast"),
        ("Virtual Unenhanced", (), "a virtual image without contrast"),
        ("Z Effective", (), "a map of atomic numbers"),
        ("Eff Z 5.0", (), "a map of atomic numbers"),
        ("Electron Density[%EDW]", (), "a map of electron density"),
        ("", ("DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"), "an image without a material"),
        ("Abdomen 5.0 Br40", ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM7 SPI DUAL"), ""),
        ("Abdomen effusion", (), ""),
        ("Mono+ 40 Qr36", (), "a virtual image of 40 keV"),
        ("Mono_100 3.0", (), "a virtual image of 100 keV"),
        ("MonoE 3.0", (), "a virtual image of one energy that it does not state"),
        ("Mono 100 kV", (), "a virtual image of one energy that it does not state"),
        ("Bolus monitoring 10.0", (), ""),
        ("PureCalcium 3.0", (), "an image without a material"),
        ("TNC 3.0", (), ""),
    ],
)
def test_what_was_computed_from_two_energies(described: str, kind: tuple[str, ...], what: str) -> None:
    assert virtual_image({"SeriesDescription": described, "ImageType": list(kind)}) == what


def test_the_energy_and_the_changed_hu_that_attributes_state() -> None:
    assert virtual_image({"MonoenergeticEnergyEquivalent": 40.0}) == "a virtual image of 40 keV"
    assert virtual_image({"MonoenergeticEnergyEquivalent": 70.0, "ImageType": ["DERIVED", "", "", "VMI"]}) == ""
    assert virtual_image({"RescaleType": "HU_MOD"}) == "an image whose Hounsfield units were modified"
    assert virtual_image({"RescaleType": "HU"}) == ""
    assert virtual_image({"FrameType": ["DERIVED", "PRIMARY", "VOLUME", "VMI"], "ImageType": ["MIXED"] * 4})


@pytest.mark.parametrize("enhanced", [False, True])
def test_the_energy_is_read_from_the_file(enhanced: bool) -> None:
    files = coronary.patient(vessels=True).files[:12]
    energy = Dataset()
    energy.MonoenergeticEnergyEquivalent = 55.0

    def stated(data: bytes) -> bytes:
        ds = pydicom.dcmread(io.BytesIO(data))
        into = ds.SharedFunctionalGroupsSequence[0] if enhanced else ds
        into.MultienergyCTCharacteristicsSequence = [energy]
        out = io.BytesIO()
        ds.save_as(out)
        return out.getvalue()

    whole = multi_frame(files, random.Random(1)) if enhanced else files
    assert whole is not None
    ((ct, *_), _) = loaded([stated(data) for data in whole])
    assert virtual_image(ct.facts) == "a virtual image of 55 keV"
