"""A finding has the label that its code, its name or its words call it, and no label of something near by."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.learn.labels_of_findings import called, label_of, names_of_labels
from isocenter.record import Code, Finding, codes
from isocenter.space import Geometry, Region

GRID = Geometry.regular(shape=(1, 2, 2))
NAMES = names_of_labels(("left lung", "Nodule", "opacity"), {"sct:10200004": 1, "RADLEX:RID3874": 2}, first=1)


def named(label: str, coded: str = "") -> Region:
    return Region(GRID, mask=np.ones(GRID.shape, bool), label=label, coded=coded)


@pytest.mark.parametrize(
    ("finding", "label"),
    [
        (Finding(codes.OPACITY), 3),
        (Finding(Code("RID3874", "RADLEX", "x")), 2),
        (Finding(codes.OPACITY, site=codes.LIVER), 3),
        (Finding(Code("1", "SCT", "Cyst"), site=codes.LIVER), None),  # a cyst of the liver is no liver
        (Finding(codes.STRUCTURE, site=codes.LIVER), 1),
        (Finding(codes.STRUCTURE, site=codes.LUNG, laterality=codes.LEFT), 1),
        (Finding(codes.STRUCTURE, site=codes.LUNG, laterality=codes.RIGHT), None),
        (Finding(codes.STRUCTURE, where=named("Left_Lung")), 1),
        (Finding(codes.STRUCTURE, where=named("nodule 12")), 2),
        (Finding(codes.STRUCTURE, where=named("a", "SCT:10200004 SCT:7771000")), 1),
        (Finding(codes.REGION, where=named("Ellipse"), words="Nodule, 4 mm."), 2),
        (Finding(codes.REGION, where=named("Ellipse"), words="No nodule."), None),
        (Finding(codes.ENHANCEMENT, words="Nodule."), None),
    ],
)
def test_what_it_is_called(finding: Finding, label: int | None) -> None:
    assert label_of(finding, NAMES) == label


def test_what_there_was_is_named() -> None:
    assert called(Finding(codes.REGION, where=named("Ellipse"), words="Cyst.")) == "Image Region: Cyst"
    assert called(Finding(codes.STRUCTURE, where=named("Kidney"), words="Kidney: 100 mL.")).endswith(": Kidney")
    assert called(Finding(codes.ENHANCEMENT, words="Cyst.")) == "Enhancing tissue"
