"""Images computed from two energies are told from plain CT by the words of their makers."""

from __future__ import annotations

import pytest

from isocenter.catalogue.virtual_ct import virtual_image


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
    ],
)
def test_what_was_computed_from_two_energies(described: str, kind: tuple[str, ...], what: str) -> None:
    assert virtual_image({"SeriesDescription": described, "ImageType": list(kind)}) == what
