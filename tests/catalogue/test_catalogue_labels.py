"""Regions are known by their names however planning systems write them: with underlines, hyphens and numbers."""

import pytest

from isocenter.catalogue import (
    body_composition,
    coronary_calcium,
    drawn_vessel,
    fetal_biometry,
    lesion_visits,
    liver_outline,
    liver_volumetry,
    uptake_scan,
)

_ARTERY = {name: pattern for name, pattern, _ in reversed(coronary_calcium._VESSELS)}  # its own names, not its branches


@pytest.mark.parametrize(
    ("pattern", "known", "other"),
    [
        (lesion_visits._NODE, ("LN_2", "GTV_LN3", "LNs", "mediastinal_node", "GTV-N1"), ("lung_nodule", "GTV_1")),
        (lesion_visits._NODE, ("LK axillär", "Adénopathie 1", "hilar adenopathy", "LNN_3"), ("Lkx", "lymphoma spleen")),
        (lesion_visits._BONE, ("Wirbel L2", "Rippe 5", "sternum", "Knochen_1", "osseous"), ("Leber", "ribosome")),
        (lesion_visits._BONE, ("L_rib", "left femur", "bone_1", "vertebra-3"), ("backbone fat", "scribble")),
        (_ARTERY["left anterior descending"], ("LAD_calc", "left_LAD", "LAD1", "anterior_descending"), ("ladder",)),
        (_ARTERY["left anterior descending"], ("D2", "RIVA", "diagonal_1"), ("D12",)),
        (_ARTERY["right coronary"], ("RCA_1", "calcium_rca"), ("carcass",)),
        (_ARTERY["left main"], ("LM_1", "left_main"), ("film",)),
        (_ARTERY["left circumflex"], ("LCX_2", "calc-Cx"), ("boxcx",)),
        (liver_outline._LIVER, ("Liver_seg", "organ_liver", "Liver2"), ("delivery",)),
        (liver_volumetry._REMNANT, ("FLR_1", "future_liver_remnant"), ("inflrx",)),
        (liver_outline.LESION, ("GTV_liver", "hcc_1", "Läsion 2", "foie tumeur", "lesión", "metástasis"), ("liver",)),
        (uptake_scan.LIVER, ("liver_ref", "VOI_Liver"), ("delivery",)),
        (uptake_scan.BLOOD, ("aorta_1", "blood_pool", "ref_mediastinum"), ("aortalike",)),
        (drawn_vessel.ARTERY, ("AIF_left", "roi_artery", "femoral_artery"), ("waif",)),
        (drawn_vessel.VEIN, ("VOF_1", "sag_sinus", "venous"), ("ventricle",)),
        (fetal_biometry._PARTS["head"], ("fetal_head", "HC_1"), ("ahead",)),
        (fetal_biometry._PARTS["abdomen"], ("AC_1",), ("acid",)),
        (body_composition._LEVEL, ("L3_vertebra", "vertebra_L3"), ("L31", "GL3X")),
    ],
)  # fmt: skip
def test_names_with_underlines_and_numbers(pattern, known, other) -> None:  # type: ignore[no-untyped-def]
    assert [n for n in known if not pattern.search(n)] == []
    assert [n for n in other if pattern.search(n)] == []


@pytest.mark.parametrize(
    ("label", "organ"),
    [("liver 2", "liver"), ("Lesion_3", ""), ("GTV-1", ""), ("Läsion 2", ""), ("", ""), ("Tumor", ""), ("a", ""),
     ("Lung", "lung"), ("lung lesion 1", "lung lesion"), ("segment VIII", "segment viii")],
)  # fmt: skip
def test_the_organ_that_a_label_names(label: str, organ: str) -> None:
    assert lesion_visits.organ_of(label) == organ
